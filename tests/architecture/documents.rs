//! The documents: short where that was promised, found by a reader of the README, and without a link that leads nowhere.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::assert_none;
use super::root;

/// Most bytes of a document. ARCHITECTURE.md is meant to be two pages.
const MOST_BYTES: [(&str, usize); 2] = [("README.md", 10 << 10), ("ARCHITECTURE.md", 9_000)];

/// Markdown files for readers, by their path from the root.
fn documents() -> Vec<String> {
    let mut pages: Vec<_> = fs::read_dir(root().join("docs"))
        .unwrap()
        .map(|entry| format!("docs/{}", entry.unwrap().file_name().into_string().unwrap()))
        .filter(|path| Path::new(path).extension().is_some_and(|extension| extension == "md"))
        .collect();
    pages.sort();
    ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"].map(str::to_owned).into_iter().chain(pages).collect()
}

fn text_of(document: &str) -> String {
    fs::read_to_string(root().join(document)).unwrap()
}

/// The lines of a text outside its blocks of code, with their numbers.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut is_code = false;
    (1..).zip(text.lines()).filter(move |(_, line)| {
        let is_fence = line.starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    })
}

/// The targets of the links and pictures in a line: what stands in `](...)`.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0))
}

/// A heading as GitHub makes an anchor of it: letters, digits, `-` and `_`, in lower case, with `-` for blanks.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
}

fn anchors(text: &str) -> BTreeSet<String> {
    let headings = prose(text).filter_map(|(_, line)| {
        let heading = line.trim_start_matches('#');
        (heading.len() < line.len() && heading.starts_with(' ')).then_some(heading)
    });
    headings.map(anchor).collect()
}

/// Why a link of a document leads nowhere; `None` if it is right.
fn fault(document: &str, target: &str) -> Option<&'static str> {
    if target.contains("://") {
        return None;
    }
    let (file, heading) =
        target.split_once('#').map_or((target, None), |(file, heading)| (file, Some(heading)));
    let folder = Path::new(document).parent().unwrap();
    let path = if file.is_empty() { document.into() } else { folder.join(file) };
    let Ok(text) = fs::read_to_string(root().join(path)) else { return Some("there is no such file") };
    let is_there = heading.is_none_or(|heading| anchors(&text).contains(heading));
    (!is_there).then_some("there is no such heading")
}

#[test]
fn every_link_leads_somewhere() {
    let (mut broken, mut links) = (Vec::new(), 0);
    for document in documents() {
        let text = text_of(&document);
        for (number, line) in prose(&text) {
            links += targets(line).count();
            let faults = targets(line).filter_map(|target| Some((target, fault(&document, target)?)));
            broken.extend(faults.map(|(target, why)| format!("{document}:{number}: {target}: {why}")));
        }
    }
    assert_none(&broken, "name a file or a heading that exists");
    assert!(links > 30, "{links}");
}

#[test]
fn links_that_lead_nowhere_are_found() {
    for good in ["reference.md", "../README.md#install", "#install", "https://example.org/no"] {
        let document = if good.starts_with('#') { "README.md" } else { "docs/recordings.md" };
        assert_eq!(fault(document, good), None, "{good}");
    }
    assert_eq!(fault("README.md", "docs/none.md"), Some("there is no such file"));
    assert_eq!(fault("README.md", "docs/reference.md#none"), Some("there is no such heading"));
    assert_eq!(targets("a [b](c) ![d](e.svg#f)").collect::<Vec<_>>(), ["c", "e.svg#f"]);
    assert_eq!(anchor(" A node's `--by`"), "a-nodes---by");
    assert_eq!(anchors("# A\n```\n# b\n```\n## C d\n"), BTreeSet::from(["a".to_owned(), "c-d".to_owned()]));
}

#[test]
fn short_documents_stay_short() {
    for (document, most) in MOST_BYTES {
        let bytes = text_of(document).len();
        assert!(bytes <= most, "{document} has {bytes} bytes, more than {most}: move details to docs/");
    }
}

#[test]
fn the_readme_links_every_page() {
    let readme = text_of("README.md");
    let linked: BTreeSet<_> = readme.lines().flat_map(targets).collect();
    let missing: Vec<_> =
        documents().into_iter().skip(1).filter(|page| !linked.contains(&page[..])).collect();
    assert_none(&missing, "link the page in README.md");
}

/// The package has the README beside a folder with the pages, so that links between them work there too.
#[test]
fn the_package_has_every_page() {
    let manifest: toml::Table = text_of("flowtop/Cargo.toml").parse().unwrap();
    let assets = manifest["package"]["metadata"]["deb"]["assets"].as_array().unwrap();
    for (from, to) in [("../README.md", "README.md"), ("../docs/*.md", "docs/"), ("../docs/*.svg", "docs/")] {
        let expected = [from, &format!("usr/share/doc/flowtop/{to}"), "644"];
        let has = |asset: &toml::Value| {
            asset.as_array().is_some_and(|parts| parts.iter().filter_map(toml::Value::as_str).eq(expected))
        };
        assert!(assets.iter().any(has), "{from} is not among the assets of flowtop/Cargo.toml");
    }
}
