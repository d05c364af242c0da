//! The crate's modules, and which file a path leads to.
//!
//! Contract: a path is followed as the compiler does it, through `self`, `super`, imports and
//! re-exports, to the file that holds what it names; so a re-export is no way around a boundary.
//! Glob imports are followed to their module only.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::source::{Path, Source};

/// Re-exports of re-exports that are followed before it is taken for a mistake of the scan.
const IMPORTS_MAX: usize = 16;

/// All files of the crate.
#[derive(Debug)]
pub struct Tree {
    sources: Vec<Source>,
    /// Each module, with the index of the file in which it is.
    modules: BTreeMap<Path, usize>,
    bindings: BTreeMap<(Path, String), Path>,
    test_modules: BTreeSet<Path>,
}

/// Where a path leads.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Target {
    /// To something in a file of the crate.
    Inside { file: String },
    /// Out of the crate, or to a name that the file declares itself.
    Outside(Path),
}

impl Tree {
    /// The crate of these files: each its place below `src/` and its text.
    pub fn new<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Tree {
        let sources: Vec<Source> = files.into_iter().map(|(file, text)| Source::read(file, text)).collect();
        let mut tree = Tree {
            modules: BTreeMap::new(),
            bindings: BTreeMap::new(),
            test_modules: BTreeSet::new(),
            sources: Vec::new(),
        };
        for (index, source) in sources.iter().enumerate() {
            tree.modules.insert(source.module.clone(), index);
            tree.test_modules.extend(source.test_modules.iter().cloned());
        }
        for (index, source) in sources.iter().enumerate() {
            for module in &source.modules {
                // One with a file of its own is there already.
                tree.modules.entry(module.clone()).or_insert(index);
            }
            for (module, name, path) in &source.bindings {
                tree.bindings.insert((module.clone(), name.clone()), path.clone());
            }
        }
        tree.sources = sources;
        tree
    }

    /// The files that are in the program, not only in its tests.
    pub fn sources(&self) -> impl Iterator<Item = &Source> {
        self.sources.iter().filter(|source| {
            let module = &source.module;
            !self.test_modules.iter().any(|tests| module.starts_with(tests))
        })
    }

    /// Where `path` leads that stands in `module`.
    pub fn resolve(&self, module: &Path, path: &[String]) -> Target {
        self.follow(module, path, 0)
    }

    fn follow(&self, module: &Path, path: &[String], imports: usize) -> Target {
        let outside = || Target::Outside(path.iter().filter(|name| !name.is_empty()).cloned().collect());
        let Some((first, rest)) = path.split_first() else { return outside() };
        if imports > IMPORTS_MAX {
            return outside();
        }
        match first.as_str() {
            "crate" => self.descend(Path::new(), rest, imports),
            "self" => self.descend(module.clone(), rest, imports),
            "super" => {
                let mut parent = module.clone();
                let ups = path.iter().take_while(|name| *name == "super").count();
                parent.truncate(parent.len().saturating_sub(ups));
                self.descend(parent, &path[ups..], imports)
            }
            _ => {
                let mut child = module.clone();
                child.push(first.clone());
                if self.modules.contains_key(&child) {
                    return self.descend(child, rest, imports);
                }
                match self.bindings.get(&(module.clone(), first.clone())) {
                    // `use log;` binds a name to itself.
                    Some(import) if import.first() != Some(first) => {
                        let whole: Path = import.iter().chain(rest).cloned().collect();
                        self.follow(module, &whole, imports + 1)
                    }
                    _ => outside(),
                }
            }
        }
    }

    /// From `module` down along `names`, as far as they are modules or re-exports.
    fn descend(&self, mut module: Path, names: &[String], imports: usize) -> Target {
        for (index, name) in names.iter().enumerate() {
            let import = self.bindings.get(&(module.clone(), name.clone()));
            module.push(name.clone());
            if self.modules.contains_key(&module) {
                continue;
            }
            module.pop();
            if let Some(import) = import.filter(|_| imports < IMPORTS_MAX) {
                let whole: Path = import.iter().chain(&names[index + 1..]).cloned().collect();
                return self.follow(&module, &whole, imports + 1);
            }
            break;
        }
        match self.modules.get(&module) {
            Some(index) => Target::Inside { file: self.sources[*index].file.clone() },
            None => Target::Inside { file: "lib.rs".to_owned() },
        }
    }
}

/// The room of a file: the first folder below `src/`; empty for `lib.rs`.
pub fn room(file: &str) -> &str {
    file.split_once('/').map_or("", |(room, _)| room)
}

/// A shortest circle among those that have an edge which `counts`: from a name along the edges back to it.
pub fn circle(
    edges: &BTreeSet<(String, String)>,
    counts: impl Fn(&str, &str) -> bool,
) -> Option<Vec<String>> {
    let counting = edges.iter().filter(|(from, to)| counts(from, to));
    counting.filter_map(|(from, to)| way(edges, to, from)).min_by_key(Vec::len)
}

/// A shortest way along the edges; it begins with its last name, so that it reads as a circle.
fn way(edges: &BTreeSet<(String, String)>, from: &str, to: &str) -> Option<Vec<String>> {
    let mut reached_from: BTreeMap<&str, &str> = BTreeMap::new();
    let mut next = VecDeque::from([from]);
    while let Some(here) = next.pop_front() {
        if here == to {
            let mut way = vec![to.to_owned()];
            let mut at = to;
            while at != from {
                at = reached_from[at];
                way.insert(0, at.to_owned());
            }
            way.insert(0, to.to_owned());
            return Some(way);
        }
        for (_, onward) in edges.iter().filter(|(start, _)| start == here) {
            if onward != from && !reached_from.contains_key(onward.as_str()) {
                reached_from.insert(onward, here);
                next.push_back(onward);
            }
        }
    }
    None
}
