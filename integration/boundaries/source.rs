//! What one source file says, read from its tokens: modules, imports, paths, and `cfg` of a system.
//!
//! Contract: comments, documentation and strings say nothing, and neither does code under
//! `#[cfg(test)]`. Paths in the arguments of macros count like any other. What only types tell, such
//! as the room of a method, cannot be seen here.

use std::iter::Peekable;
use std::str::FromStr;

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// The names of a path, a module's or an item's; `*` as the last one is a glob import, and an empty
/// first one stands for a path that begins with `::`.
pub type Path = Vec<String>;

/// Predicates of `cfg` that tell one operating system from another.
const SYSTEM_PREDICATES: [&str; 6] =
    ["target_os", "target_family", "target_vendor", "target_env", "unix", "windows"];

/// A path that a file names outside its tests.
#[derive(Debug)]
pub struct Mention {
    /// The module in which it stands.
    pub module: Path,
    /// The line.
    pub line: usize,
    /// The path as it is written.
    pub path: Path,
}

/// One file of the crate.
#[derive(Debug, Default)]
pub struct Source {
    /// Its place below `src/`.
    pub file: String,
    /// The module that it is.
    pub module: Path,
    /// The modules that it declares outside its tests, with and without a body.
    pub modules: Vec<Path>,
    /// The modules without a body that it declares for tests only.
    pub test_modules: Vec<Path>,
    /// All paths.
    pub mentions: Vec<Mention>,
    /// What `use` names: the module, the name there, and the path behind it.
    pub bindings: Vec<(Path, String, Path)>,
    /// Lines that ask which operating system it is, with what they ask.
    pub systems: Vec<(usize, String)>,
    /// Lines that call a method, with its name.
    pub methods: Vec<(usize, String)>,
    /// Lines by which the modules are not what the folders show.
    pub hidden: Vec<(usize, &'static str)>,
}

impl Source {
    /// Reads the file at `file` below `src/`.
    pub fn read(file: &str, text: &str) -> Source {
        let mut module: Path = file.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
        if matches!(module.last().map(String::as_str), Some("mod" | "lib")) {
            module.pop();
        }
        let tokens = TokenStream::from_str(text).unwrap_or_else(|error| panic!("{file}: {error}"));
        let mut source = Source { file: file.to_owned(), module: module.clone(), ..Source::default() };
        source.walk(tokens, &module);
        source
    }

    fn walk(&mut self, tokens: TokenStream, module: &Path) {
        let mut tokens = Tokens(tokens.into_iter().peekable());
        // Of the item that comes next: its attributes stand before it.
        let mut test_only = false;
        // What was known before its attributes, which are exempt with it.
        let mut known = (0, 0);
        let mut follows_attribute = false;
        while let Some(token) = tokens.0.next() {
            match token {
                TokenTree::Punct(punct) if punct.as_char() == '#' => {
                    // `#![…]` belongs to what is around it.
                    let is_inner = tokens.skip_punct('!');
                    if !follows_attribute {
                        known = (self.mentions.len(), self.systems.len());
                    }
                    if let Some(attribute) = tokens.group(Delimiter::Bracket) {
                        let is_test = self.attribute(&attribute, module);
                        if is_test && is_inner {
                            return;
                        }
                        test_only |= is_test;
                    }
                    follows_attribute = tokens.is_punct('#');
                    if test_only && !follows_attribute {
                        self.mentions.truncate(known.0);
                        self.systems.truncate(known.1);
                        self.skip_item(&mut tokens, module);
                        test_only = false;
                    }
                }
                TokenTree::Punct(punct) if punct.as_char() == '.' => {
                    // A range such as `..end` is no call.
                    if tokens.skip_punct('.') {
                        continue;
                    }
                    if let Some((name, line)) = tokens.ident() {
                        self.methods.push((line, name));
                    }
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => {
                    // `::name` where a path begins; behind `>` it goes on with a name that tells nothing.
                    if tokens.skip_punct(':')
                        && let Some((name, line)) = tokens.ident()
                    {
                        self.path(vec![String::new(), name], line, &mut tokens, module);
                    }
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
                TokenTree::Ident(ident) => {
                    let line = ident.span().start().line;
                    self.word(ident.to_string(), line, &mut tokens, module);
                }
                TokenTree::Group(group) => self.walk(group.stream(), module),
            }
        }
    }

    fn word(&mut self, name: String, line: usize, tokens: &mut Tokens, module: &Path) {
        match name.as_str() {
            "pub" => {
                // `pub(in path)` says who may use it, not what is used.
                tokens.group(Delimiter::Parenthesis);
            }
            "mod" => {
                let Some((name, _)) = tokens.ident() else { return };
                let inner = extended(module, &name);
                self.modules.push(inner.clone());
                if let Some(body) = tokens.group(Delimiter::Brace) {
                    self.walk(body.stream(), &inner);
                }
            }
            "use" => {
                // `use<'a>` is a bound, not an import.
                if !tokens.is_punct('<') {
                    let begin = if tokens.skip_path_separator() { vec![String::new()] } else { Path::new() };
                    self.import(begin, tokens, module);
                }
            }
            "cfg" if tokens.skip_punct('!') => {
                if let Some(TokenTree::Group(asked)) = tokens.0.peek() {
                    let asked = asked.clone();
                    self.asks_for_a_system(&asked);
                }
            }
            "include" if tokens.is_punct('!') => self.hidden.push((line, "include!")),
            _ => self.path(vec![name], line, tokens, module),
        }
    }

    /// The rest of a path that begins with `path`.
    fn path(&mut self, mut path: Path, line: usize, tokens: &mut Tokens, module: &Path) {
        while tokens.skip_path_separator() {
            match tokens.ident() {
                Some((name, _)) => path.push(name),
                None => break,
            }
        }
        if path.len() > 1 {
            self.mentions.push(Mention { module: module.clone(), line, path });
        }
    }

    /// One branch of an import, of which `path` is known already.
    fn import(&mut self, mut path: Path, tokens: &mut Tokens, module: &Path) {
        let mut line = 0;
        loop {
            if let Some(branches) = tokens.group(Delimiter::Brace) {
                let mut branches = Tokens(branches.stream().into_iter().peekable());
                while branches.0.peek().is_some() {
                    self.import(path.clone(), &mut branches, module);
                    branches.skip_punct(',');
                }
                return;
            }
            if tokens.skip_punct('*') {
                path.push("*".to_owned());
                break;
            }
            // `$crate` in a macro.
            tokens.skip_punct('$');
            let Some((name, at)) = tokens.ident() else { break };
            line = at;
            path.push(name);
            if !tokens.skip_path_separator() {
                break;
            }
        }
        // `net::{self}` names `net`.
        if path.len() > 1 && path.last().is_some_and(|name| name == "self") {
            path.pop();
        }
        let mut bound = path.last().cloned();
        if tokens.is_ident("as") {
            tokens.0.next();
            bound = tokens.ident().map(|(name, _)| name);
        }
        if let Some(bound) = bound.filter(|name| name != "_" && name != "*") {
            self.bindings.push((module.clone(), bound, path.clone()));
        }
        self.mentions.push(Mention { module: module.clone(), line, path });
    }

    /// Notes what an attribute names; true for one that keeps what follows for tests.
    fn attribute(&mut self, attribute: &Group, module: &Path) -> bool {
        let mut tokens = Tokens(attribute.stream().into_iter().peekable());
        let Some((name, line)) = tokens.ident() else { return false };
        match name.as_str() {
            "cfg" => {
                let Some(TokenTree::Group(asked)) = tokens.0.next() else { return false };
                self.asks_for_a_system(&asked);
                requires_test(asked.stream())
            }
            "path" => {
                self.hidden.push((line, "#[path]"));
                false
            }
            _ => {
                if name == "cfg_attr" {
                    self.asks_for_a_system(attribute);
                }
                self.walk(attribute.stream(), module);
                false
            }
        }
    }

    fn asks_for_a_system(&mut self, asked: &Group) {
        for token in asked.stream() {
            match token {
                TokenTree::Ident(name) if SYSTEM_PREDICATES.iter().any(|system| name == system) => {
                    self.systems.push((name.span().start().line, name.to_string()));
                }
                TokenTree::Group(inner) => self.asks_for_a_system(&inner),
                _ => {}
            }
        }
    }

    /// Passes over what stands under `#[cfg(test)]`: an item, a field, a variant or a statement.
    fn skip_item(&mut self, tokens: &mut Tokens, module: &Path) {
        let mut end = None;
        while let Some(token) = tokens.0.next() {
            match token {
                TokenTree::Ident(word) if word == "pub" => {
                    tokens.group(Delimiter::Parenthesis);
                    continue;
                }
                TokenTree::Ident(word) if end.is_none() => {
                    if word == "mod"
                        && let Some((name, _)) = tokens.ident()
                        && tokens.is_punct(';')
                    {
                        self.test_modules.push(extended(module, &name));
                    }
                    end = Some(ItemEnd::of(&word.to_string(), tokens));
                }
                TokenTree::Punct(punct) if punct.as_char() == ';' => return,
                TokenTree::Punct(punct) if punct.as_char() == ',' && end == Some(ItemEnd::Comma) => return,
                TokenTree::Group(group)
                    if group.delimiter() == Delimiter::Brace && end != Some(ItemEnd::Semicolon) =>
                {
                    return;
                }
                _ => {}
            }
        }
    }
}

/// What an item ends with, beside the `;` that ends any.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum ItemEnd {
    /// Braces before the `;` are a part of it: an import, a value.
    Semicolon,
    /// The braces of its body.
    Braces,
    /// It is no item but a field, a variant or a statement.
    Comma,
}

impl ItemEnd {
    fn of(first_word: &str, tokens: &mut Tokens) -> ItemEnd {
        match first_word {
            "const" if tokens.is_ident("fn") || tokens.is_ident("unsafe") => ItemEnd::Braces,
            "const" | "let" | "static" | "type" | "use" => ItemEnd::Semicolon,
            "async" | "enum" | "extern" | "fn" | "impl" | "macro_rules" | "mod" | "struct" | "trait"
            | "union" | "unsafe" => ItemEnd::Braces,
            _ => ItemEnd::Comma,
        }
    }
}

/// True if code under `cfg(…)` is in no build but a test's.
fn requires_test(asked: TokenStream) -> bool {
    let mut tokens = Tokens(asked.into_iter().peekable());
    match tokens.ident() {
        Some((name, _)) if name == "test" => true,
        Some((name, _)) if name == "all" => {
            tokens.group(Delimiter::Parenthesis).is_some_and(|all| any_test(all.stream()))
        }
        _ => false,
    }
}

/// True if one of several predicates is `test`.
fn any_test(predicates: TokenStream) -> bool {
    let predicates: Vec<TokenTree> = predicates.into_iter().collect();
    predicates
        .split(|token| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ','))
        .any(|predicate| requires_test(predicate.iter().cloned().collect()))
}

fn extended(module: &Path, name: &str) -> Path {
    let mut inner = module.clone();
    inner.push(name.to_owned());
    inner
}

/// Tokens of one nesting level, with the questions that a path or an item asks.
struct Tokens(Peekable<proc_macro2::token_stream::IntoIter>);

impl Tokens {
    fn is_punct(&mut self, wanted: char) -> bool {
        matches!(self.0.peek(), Some(TokenTree::Punct(punct)) if punct.as_char() == wanted)
    }

    fn skip_punct(&mut self, wanted: char) -> bool {
        let is_there = self.is_punct(wanted);
        if is_there {
            self.0.next();
        }
        is_there
    }

    /// `::`, which comes as two tokens; a single `:` stays.
    fn skip_path_separator(&mut self) -> bool {
        let mut ahead = self.0.clone();
        let is_colon = |token: Option<TokenTree>| matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == ':');
        let is_there = is_colon(ahead.next()) && is_colon(ahead.next());
        if is_there {
            self.0 = ahead;
        }
        is_there
    }

    fn is_ident(&mut self, wanted: &str) -> bool {
        matches!(self.0.peek(), Some(TokenTree::Ident(ident)) if ident == wanted)
    }

    fn ident(&mut self) -> Option<(String, usize)> {
        let Some(TokenTree::Ident(ident)) = self.0.peek() else { return None };
        let found = (ident.to_string(), ident.span().start().line);
        self.0.next();
        Some(found)
    }

    fn group(&mut self, delimiter: Delimiter) -> Option<Group> {
        match self.0.peek() {
            Some(TokenTree::Group(group)) if group.delimiter() == delimiter => {
                let group = group.clone();
                self.0.next();
                Some(group)
            }
            _ => None,
        }
    }
}
