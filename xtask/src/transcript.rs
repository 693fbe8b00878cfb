//! Output of the live suite → numbers of passed, failed and skipped cases, and whether the run was complete.
//!
//! QEMU ends with success after a clean power-off and after a kernel panic alike, so only the lines count.

/// Everything learnt from the lines so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transcript {
    pub passed: usize,
    pub failed: usize,
    /// Cases that were skipped, each with a reason in its line.
    pub skipped: usize,
    /// The lines of the cases that failed.
    pub failures: Vec<String>,
    /// Hook plans with at least one case, in the order of their first.
    pub plans: Vec<String>,
    verdicts: Vec<bool>,
    panic: Option<String>,
}

impl Transcript {
    /// Counts one line of output.
    pub fn read(&mut self, line: &str) {
        let mut words = line.split_whitespace();
        match words.next() {
            // Only these two: init also reports what it could not prepare.
            _ if line == "init: success" => self.verdicts.push(true),
            _ if line == "init: failure" => self.verdicts.push(false),
            Some("ok") => self.case(words.next(), |transcript| &mut transcript.passed),
            Some("FAIL") => {
                self.failures.push(line.to_owned());
                self.case(words.next(), |transcript| &mut transcript.failed);
            }
            Some("skip") => self.skipped += 1,
            _ if line.contains("Kernel panic") || line.contains("soft lockup") => {
                self.panic = Some(line.to_owned());
            }
            _ => {}
        }
    }

    /// Why the run of a guest failed, if it did.
    pub fn guest_failure(&self) -> Option<String> {
        match (&self.panic, self.verdicts.as_slice()) {
            (Some(panic), _) => Some(panic.clone()),
            (None, []) => Some("no verdict: the guest ended early".to_owned()),
            (None, [false]) => Some(self.suite_failure().unwrap_or_else(|| "init: failure".to_owned())),
            (None, [true]) => self.suite_failure(),
            (None, several) => Some(format!("{} verdicts where one belongs", several.len())),
        }
    }

    /// Why the suite failed, if it did, in a guest or here.
    pub fn suite_failure(&self) -> Option<String> {
        match (self.passed, self.failed) {
            (0, 0) => Some("no case ran".to_owned()),
            (_, 0) => None,
            (_, failed) => Some(format!("{failed} cases failed")),
        }
    }

    fn case(&mut self, plan: Option<&str>, count: impl Fn(&mut Self) -> &mut usize) {
        *count(self) += 1;
        if let Some(plan) = plan.filter(|plan| !self.plans.iter().any(|known| known == plan)) {
            self.plans.push(plan.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transcript(text: &str) -> Transcript {
        let mut transcript = Transcript::default();
        text.lines().for_each(|line| transcript.read(line));
        transcript
    }

    #[test]
    fn cases_and_plans_are_counted() {
        let run = transcript(
            "skip-plan kprobe: not compiled in\nok fentry plain\nok fentry peek\nskip fentry ktls: no module\n\
             FAIL tracepoint plain: expected 1, got 2\nlive: 2 passed, 1 failed, 1 skipped\ninit: failure",
        );
        assert_eq!((run.passed, run.failed, run.skipped), (2, 1, 1));
        assert_eq!(run.plans, ["fentry", "tracepoint"]);
        assert_eq!(run.failures, ["FAIL tracepoint plain: expected 1, got 2"]);
        assert_eq!(run.guest_failure().as_deref(), Some("1 cases failed"));
    }

    #[test]
    fn exactly_one_success_is_needed() {
        assert_eq!(transcript("ok auto plain\ninit: success").guest_failure(), None);
        for bad in
            ["ok auto plain", "ok auto plain\ninit: success\ninit: success", "ok auto plain\ninit: failure"]
        {
            assert!(transcript(bad).guest_failure().is_some(), "{bad}");
        }
    }

    #[test]
    fn a_success_without_cases_or_with_a_panic_is_none() {
        assert_eq!(transcript("init: success").guest_failure().as_deref(), Some("no case ran"));
        let panic = "[    2.1] Kernel panic - not syncing: Attempted to kill init!";
        let run = transcript(&format!("ok auto plain\ninit: success\n{panic}"));
        assert_eq!(run.guest_failure().as_deref(), Some(panic));
    }
}
