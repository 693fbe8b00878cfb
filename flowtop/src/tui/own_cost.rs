//! flowtop's own resource usage, shown in the view.

use super::App;
use crate::cost::Meter;
use flowtop_view::state::update::Event;

impl App {
    /// Starts or stops the measurement so that it only runs while it is shown.
    pub(super) fn measure(&mut self) {
        let Some(session) = self.session.as_ref().filter(|_| self.state.own_cost.is_shown()) else {
            self.meter = None;
            return;
        };
        let table = (self.state.ledger.present(), self.settings.max_flows.value.0);
        let cost = self.meter.get_or_insert_with(Meter::new).read(session.source(), table);
        self.state.update(Event::Cost(cost), &*self.names);
    }
}
