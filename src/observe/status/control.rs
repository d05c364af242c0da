//! `POST /backends/{group}/{address}/{ready,drain,down}`: a decision about a back end.
//!
//! Contract: the decision stands when the response is written. The query `?role=ROLE&listen=ADDRESS` picks one
//! role where several roles of the process have such a group; without it all of them obey.

use std::net::SocketAddr;

use percent_encoding::percent_decode_str;

use super::response::StatusResponse;
use crate::balance::Control;
use crate::observe::role_view::{Board, RoleView};

/// What the addresses begin with.
pub(super) const PREFIX: &str = "/backends/";

/// A decision as it is asked for.
#[derive(Debug, Eq, PartialEq)]
struct Order {
    group: String,
    address: SocketAddr,
    control: Control,
    role: Option<String>,
    listen: Option<SocketAddr>,
}

/// Carries out what the address says.
pub(super) fn decide(board: &Board, path: &str, query: Option<&str>) -> StatusResponse {
    let order = match Order::parse(path, query) {
        Ok(order) => order,
        Err(sentence) => return StatusResponse::plain(404, &format!("{sentence}\n")),
    };
    let done = board.roles().iter().filter(|role| order.is_for(role)).fold(0, |done, role| {
        let found = role.control(&order.group, order.address, order.control, "the status page");
        done + usize::from(found.is_some())
    });
    if done == 0 {
        let Order { group, address, .. } = &order;
        let sentence = format!("No role here has a group {group:?} with a back end {address}.\n");
        return StatusResponse::plain(404, &sentence);
    }
    let document = serde_json::json!({
        "group": order.group,
        "address": order.address.to_string(),
        "control": order.control.word(),
        "roles": done,
    });
    StatusResponse::json(200, format!("{document}\n"))
}

impl Order {
    fn parse(path: &str, query: Option<&str>) -> Result<Order, String> {
        let form = "Write POST /backends/{group}/{address}/{ready,drain,down}";
        let rest = path.strip_prefix(PREFIX).ok_or(form)?;
        // From the end: the name of a group may have slashes, and they need not be escaped.
        let (rest, word) = rest.rsplit_once('/').ok_or(form)?;
        let (group, address) = rest.rsplit_once('/').ok_or(form)?;
        let control = word.parse().map_err(|()| format!("{form}; {word:?} is none of the three."))?;
        let address = decoded(address)?;
        let address =
            address.parse().map_err(|_| format!("{address:?} is not the address of a back end."))?;
        let mut order = Order { group: decoded(group)?, address, control, role: None, listen: None };
        for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("role", role)) => order.role = Some(decoded(role)?),
                Some(("listen", listen)) => {
                    let listen = decoded(listen)?;
                    order.listen =
                        Some(listen.parse().map_err(|_| format!("{listen:?} is not an address."))?);
                }
                _ => return Err(format!("The query {pair:?} is neither role= nor listen=.")),
            }
        }
        Ok(order)
    }

    fn is_for(&self, role: &RoleView) -> bool {
        self.role.as_ref().is_none_or(|wanted| wanted == role.facts.role)
            && self.listen.is_none_or(|wanted| role.facts.listen.contains(&wanted))
    }
}

fn decoded(text: &str) -> Result<String, String> {
    let text = percent_decode_str(text).decode_utf8();
    text.map(|text| text.into_owned()).map_err(|_| "The address is not UTF-8.".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_group_back_end_and_decision() {
        let parsed = |path: &str, query| Order::parse(path, query);
        let order = |group: &str| Order {
            group: group.to_owned(),
            address: "127.0.0.1:9001".parse().unwrap(),
            control: Control::Drain,
            role: None,
            listen: None,
        };
        assert_eq!(parsed("/backends/back%20ends/127.0.0.1:9001/drain", None), Ok(order("back ends")));
        assert_eq!(parsed("/backends//images//127.0.0.1:9001/drain", None), Ok(order("/images/")));
        assert_eq!(parsed("/backends/%2Fimages%2F/127.0.0.1%3A9001/drain", None), Ok(order("/images/")));
        let with =
            parsed("/backends/a/[::1]:80/ready", Some("role=lb-async&listen=127.0.0.1:44444")).unwrap();
        assert_eq!((with.role.as_deref(), with.listen.unwrap().port()), (Some("lb-async"), 44444));
    }

    #[test]
    fn what_it_cannot_be_is_said() {
        for (path, query, part) in [
            ("/backends/a", None, "Write POST"),
            ("/backends/a/127.0.0.1:1/off", None, "\"off\" is none"),
            ("/backends/a/localhost/drain", None, "\"localhost\" is not the address"),
            ("/backends/a/127.0.0.1:1/drain", Some("x=1"), "\"x=1\" is neither"),
            ("/backends/%ff/127.0.0.1:1/drain", None, "not UTF-8"),
        ] {
            let sentence = Order::parse(path, query).unwrap_err();
            assert!(sentence.contains(part), "{sentence}");
        }
    }
}
