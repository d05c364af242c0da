use proptest::prelude::*;
use toml::de::DeTable;

use super::*;

fn text(text: &str) -> Result<RouteSpec, String> {
    text.parse()
}

/// The first route of a file.
fn table(file: &str) -> Result<RouteSpec, String> {
    let table = DeTable::parse(file).unwrap();
    let route = &table.get_ref().get("route").unwrap().get_ref().as_array().unwrap()[0];
    from_table(route.get_ref().as_table().unwrap(), route.span()).map_err(|(_, error)| error)
}

#[test]
fn what_worked_before_there_were_options_still_does() {
    for (route, pattern, back_ends) in [
        ("/images/=127.0.0.1:8889", "/images/", "127.0.0.1:8889"),
        ("/a=b/=x:1,[::1]:2", "/a=b/", "x:1,[::1]:2"),
        ("/gambar saya/=80", "/gambar saya/", "127.0.0.1:80"),
        ("/a;b/=x:1", "/a;b/", "x:1"),
        ("/a\"b/=x:1", "/a\"b/", "x:1"),
        ("/x=443", "/x", "127.0.0.1:443"),
    ] {
        let route = text(route).unwrap();
        assert_eq!((route.pattern.to_string().as_str(), route.to.to_string().as_str()), (pattern, back_ends));
    }
}

#[test]
fn a_route_is_printed_in_both_forms_and_read_back() {
    for (route, printed, file) in [
        (
            "*.Example.org./api/ = a:1 weight=3,b:2 backup; strip; policy cookie; max-per-backend 7;",
            "*.example.org/api/=a:1 weight=3,b:2 backup; strip; policy cookie; max-per-backend 7",
            "match = \"*.example.org/api/\"\nto = [\"a:1 weight=3\", \"b:2 backup\"]\nstrip = true\npolicy = \"cookie\"\nmax-per-backend = 7\n",
        ),
        (
            "/old/=301 to https://{host}{path}; replace /new/",
            "/old/=301 to https://{host}{path}; replace /new/",
            "match = \"/old/\"\nto = \"301 to https://{host}{path}\"\nreplace = \"/new/\"\n",
        ),
        (
            "a.org=503 \"closed; come back\"",
            "a.org=503 \"closed; come back\"",
            "match = \"a.org\"\nto = \"503 closed; come back\"\n",
        ),
        (
            "/rahasia/=a:1; basic-auth \"a;b\"; deny 10.0.0.0/8; allow 10.1.2.3; rate-limit 5/m; max-body 10240k; deny ::1",
            "/rahasia/=a:1; allow 10.1.2.3/32; deny 10.0.0.0/8; deny ::1/128; rate-limit 5/m,5; basic-auth \"a;b\"; max-body 10m",
            "match = \"/rahasia/\"\nto = [\"a:1\"]\nallow = [\"10.1.2.3/32\"]\ndeny = [\"10.0.0.0/8\", \"::1/128\"]\n\
             rate-limit = \"5/m,5\"\nbasic-auth = \"a;b\"\nmax-body = \"10m\"\n",
        ),
        (
            "/bebas/=a:1; rate-limit off; basic-auth off; max-body off",
            "/bebas/=a:1; rate-limit off; basic-auth off; max-body off",
            "match = \"/bebas/\"\nto = [\"a:1\"]\nrate-limit = \"off\"\nbasic-auth = \"off\"\nmax-body = \"off\"\n",
        ),
        ("/x=404 Not Found", "/x=404", "match = \"/x\"\nto = \"404\"\n"),
        (
            "/=a:1; add-response \"X-A: a; \\\"b\\\" \\\\ c\"; remove-response Server; set-request X-B: \"x\"; add-response X-A:",
            "/=a:1; set-request X-B: \"x\"; add-response \"X-A: a; \\\"b\\\" \\\\ c\"; add-response \"X-A: \"; remove-response Server",
            "match = \"/\"\nto = [\"a:1\"]\nset-request = [\"X-B: \\\"x\\\"\"]\n\
             add-response = [\"X-A: a; \\\"b\\\" \\\\ c\", \"X-A: \"]\nremove-response = [\"Server\"]\n",
        ),
        (
            "\"/a=b;c\"=301 to \"/x;{path}\"",
            "\"/a=b;c\"=301 to \"/x;{path}\"",
            "match = \"/a=b;c\"\nto = \"301 to /x;{path}\"\n",
        ),
    ] {
        let read = text(route).unwrap();
        assert_eq!(read.to_string(), printed);
        assert_eq!(text(printed).as_ref(), Ok(&read), "{printed}");
        let file = format!("[[route]]\n{file}");
        assert_eq!(to_table(&read), file);
        assert_eq!(table(&file).as_ref(), Ok(&read), "{file}");
    }
}

#[test]
fn a_table_takes_values_as_toml_has_them() {
    let route = table(
        "[[route]]\nadd-request = \"A: 1\"\nstrip = false\nmax-per-backend = \"2\"\nto = \"a:1,b:2\"\nmatch = \"/x/\"",
    );
    assert_eq!(route.unwrap().to_string(), "/x/=a:1,b:2; max-per-backend 2; add-request A: 1");
    assert_eq!(table("[[route]]\nmatch = \"/x\"\nto = 503").unwrap().to_string(), "/x=503");
}

#[test]
fn an_error_says_which_word_is_wrong() {
    for (route, words) in [
        ("/images/", "this is not a route: write [HOST][/PREFIX]="),
        ("/images/=", "is not an address"),
        ("/images/=x:1,", "is not an address"),
        ("/images/=x:0", "port 0"),
        ("/a=b/=x:0", "port 0"),
        ("/x=a:1 weight=999", "\"999\" is not a weight"),
        ("=a:1", "a route without host and prefix"),
        ("/*=a:1", "there are no wildcards"),
        ("/x=a:1; stripp", "\"stripp\" is no option of a route; did you mean strip?"),
        ("/x=a:1; xyzzy", "\"xyzzy\" is no option of a route; there are strip, replace, "),
        ("/x=a:1;; strip", "nothing between two `;`"),
        ("/x=a:1; strip yes", "strip takes no value, but \"yes\" is given"),
        ("/x=a:1; strip; strip", "strip: the route has strip already"),
        ("/x=a:1; strip; replace /y", "replace: the route has strip already"),
        ("a.org=a:1; strip", "strip: the route has no prefix that could be stripped"),
        ("/x=a:1; replace y", "replace: the path `y` does not start with `/`"),
        ("/x=a:1; replace", "replace: a value is missing"),
        ("/x=503; strip", "strip: the route sends no path to anybody"),
        ("/x=503; max-per-backend 1", "max-per-backend: the route has no back ends"),
        ("/x=a:1; max-per-backend x", "max-per-backend: \"x\" is not a whole number from 0 to"),
        ("/x=503; policy cookie", "policy: the route has no back ends"),
        (
            "/x=a:1; policy leastconn",
            "policy: \"leastconn\" is not a policy: choose one of round-robin, least-",
        ),
        ("/x=a:1; policy cookie; policy cookie", "policy is given twice"),
        ("/x=a:1; max-per-backend 1; max-per-backend 1", "max-per-backend is given twice"),
        ("/x=a:1; deny", "deny: a value is missing"),
        ("/x=a:1; deny 10.0.0.0/33", "deny: the prefix of `10.0.0.0/33` is not a number from 0 to 32"),
        ("/x=a:1; rate-limit 10", "rate-limit: \"10\" is not a rate: write N/s"),
        ("/x=a:1; rate-limit 1/s; rate-limit off", "rate-limit is given twice"),
        ("/x=a:1; max-body much", "max-body: \"much\" is not a size"),
        ("/x=503; max-body 1k", "max-body: the route has no back ends"),
        ("/x=a:1; basic-aut x", "did you mean basic-auth?"),
        ("/x=a:1; set-request X", "set-request: \"X\" has no colon: write Name: value"),
        ("/x=a:1; set-request", "set-request: write set-request Name: value"),
        ("/x=a:1; set-request X: 1=2; set-request x: 1", "set-request is given twice for x"),
        ("/x=a:1; set-response Content-Length: 1", "set-response: Content-Length cannot be changed"),
        ("/x=a:1; set-request \"X: a\" b", "follows what is in quotes"),
        ("/x=a:1; set-request \"X: a", "a quote is not closed"),
        ("/x=a:1; set-request \"X: \\a\"", "within quotes a \\ stands before"),
        ("\"/x\" a:1", "write [HOST][/PREFIX]="),
        ("/x=301", "write 301 to URL, such as 301 to https://{host}{path}"),
        ("/x=301 to", "write 301 to URL"),
        ("/x=301 https://a", "write 301 to URL"),
        ("/x=304", "304 sends nobody elsewhere: there are 301, 302"),
        ("/x=301 to a.org", "\"a.org\" is neither http://... nor https://... nor a path"),
        ("/x=301 to //a.org", "\"//a.org\" is neither"),
        ("/x=301 to /a b", "has a blank"),
        ("/x=301 to /{uri}", "\"{uri\" begins no placeholder: there are {client}, {host}, {path}"),
        ("/x=204 Nothing", "204 has no body"),
        ("/x=206", "206 is the response to a request for a part"),
        ("/x=503 a\nb", "control character"),
    ] {
        let error = text(route).unwrap_err();
        assert!(error.contains(words) && error.starts_with(&format!("{route:?}: ")), "{route}: {error}");
    }
    for (file, words) in [
        ("to = \"a:1\"", "a route without match"),
        ("match = \"/x\"", "a route without to"),
        ("match = 1.5\nto = \"a:1\"", "match: takes a text, not a float"),
        ("match = \"/x\"\nto = []", "to: an empty list"),
        ("match = \"/x\"\nto = [\"a\"]", "to: \"a\" is not an address"),
        (
            "match = \"/x\"\nto = \"a:1\"\nstripp = true",
            "\"stripp\" is no key of a route; did you mean strip?",
        ),
        ("match = \"/x\"\nto = \"a:1\"\nstrip = 1", "strip: write true or false"),
        ("match = \"/x\"\nto = \"a:1\"\nset-request = [1]", "set-request: \"1\" has no colon"),
        ("match = \"/x\"\nto = \"a:1\"\nset-request = [true]", "set-request: takes a text, not a boolean"),
        ("match = \"/x\"\nto = \"a:1\"\nreplace = [\"/a\"]", "replace: takes a text, not a"),
    ] {
        let error = table(&format!("[[route]]\n{file}")).unwrap_err();
        assert!(error.starts_with(words), "{file}: {error}");
    }
}

/// Texts that are nearly routes.
fn any_text() -> impl Strategy<Value = String> {
    let pattern = "\"?(\\*\\.)?(a\\.org)?(/[a=;\"\\\\ %]{0,3}){0,2}\"?";
    let to = "(a:1|80|b:2 weight=3|[a:1, ]{0,4}|503|404 x|301 to /[a;\"\\\\]?\\{path\\}|\"?[a;\"]{0,3}\"?)";
    let option = "(strip|replace /[a/]{0,2}|policy (cookie|random-two)|max-per-backend 3|(set|add|remove)-(request|response) X-[AB](: ?[a;\"\\\\{} ]{0,4})?|[a;\" ]{0,3})";
    (pattern, to, proptest::collection::vec(option, 0..4)).prop_map(|(pattern, to, options)| {
        options.iter().fold(format!("{pattern}={to}"), |text, option| format!("{text}; {option}"))
    })
}

proptest! {
    #[test]
    fn whatever_is_read_is_printed_and_read_again_the_same(route in any_text()) {
        if let Ok(read) = text(&route) {
            prop_assert_eq!(text(&read.to_string()), Ok(read.clone()), "{}", read);
            prop_assert_eq!(table(&to_table(&read)), Ok(read.clone()), "{}", to_table(&read));
        }
    }

    #[test]
    fn no_text_at_all_makes_it_panic(route in "\\PC{0,40}") {
        if let Ok(read) = text(&route) {
            prop_assert_eq!(text(&read.to_string()), Ok(read));
        }
    }
}
