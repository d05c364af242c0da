//! Addresses that may ask, and addresses that may not.
//!
//! Contract: the most specific block that holds an address decides, so the order of the flags means nothing: in a
//! block that is denied one address may be allowed, and the other way round. Of two equal blocks the denial counts. An
//! address in no block may ask, unless some block is allowed: then only what is allowed may.

use std::net::IpAddr;

use crate::protocol::cidr::Cidr;

/// Who may ask.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct AccessList {
    /// The most specific first, and a denial before an equal permission: the first that holds an address decides.
    blocks: Vec<(Cidr, bool)>,
    /// Whether an address in no block may.
    others: bool,
}

impl AccessList {
    /// A list of blocks that may ask and blocks that may not; `None` if there are none of either.
    pub fn new(allow: &[Cidr], deny: &[Cidr]) -> Option<AccessList> {
        let mut blocks: Vec<(Cidr, bool)> = Vec::new();
        blocks.extend(deny.iter().map(|block| (*block, false)));
        blocks.extend(allow.iter().map(|block| (*block, true)));
        // Stable: denials stay in front of equal permissions.
        blocks.sort_by_key(|(block, _)| std::cmp::Reverse(block.prefix()));
        (!blocks.is_empty()).then_some(AccessList { blocks, others: allow.is_empty() })
    }

    /// True if this address may ask.
    pub(crate) fn admits(&self, address: IpAddr) -> bool {
        let decides = self.blocks.iter().find(|(block, _)| block.contains(address));
        decides.map_or(self.others, |(_, may)| *may)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn list(allow: &[&str], deny: &[&str]) -> AccessList {
        let blocks = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<Cidr>>();
        AccessList::new(&blocks(allow), &blocks(deny)).unwrap()
    }

    fn admits(list: &AccessList, address: &str) -> bool {
        list.admits(address.parse().unwrap())
    }

    #[test]
    fn the_most_specific_block_decides() {
        let list = list(&["10.0.0.0/8", "10.1.2.3"], &["10.1.0.0/16", "0.0.0.0/0"]);
        for (address, may) in [
            ("10.0.0.1", true),
            ("10.1.0.1", false),
            ("10.1.2.3", true),
            ("192.0.2.1", false),
            ("::ffff:10.1.2.3", true),
            ("::1", false),
        ] {
            assert_eq!(admits(&list, address), may, "{address}");
        }
    }

    #[test]
    fn what_no_block_holds_may_ask_unless_something_is_allowed() {
        assert!(admits(&list(&[], &["10.0.0.0/8"]), "192.0.2.1"));
        assert!(!admits(&list(&["10.0.0.0/8"], &[]), "192.0.2.1"));
        assert!(
            !admits(&list(&["10.0.0.1"], &["10.0.0.1"]), "10.0.0.1"),
            "of two equal blocks the denial counts"
        );
        assert_eq!(AccessList::new(&[], &[]), None);
    }

    proptest! {
        #[test]
        fn the_order_of_the_flags_means_nothing(
            blocks in prop::collection::vec((any::<u8>(), 0u8..=32, any::<bool>()), 1..8),
            seed in any::<u64>(),
            address in any::<u8>(),
        ) {
            let of = |blocks: &[(u8, u8, bool)]| {
                let side = |wanted: bool| -> Vec<Cidr> {
                    let those = blocks.iter().filter(|(.., may)| *may == wanted);
                    those.map(|(last, prefix, _)| format!("10.0.0.{last}/{prefix}").parse().unwrap()).collect()
                };
                AccessList::new(&side(true), &side(false)).unwrap()
            };
            let mut turned = blocks.clone();
            turned.rotate_left(usize::try_from(seed % blocks.len() as u64).unwrap());
            turned.reverse();
            let address = IpAddr::from([10, 0, 0, address]);
            prop_assert_eq!(of(&blocks).admits(address), of(&turned).admits(address));
        }
    }
}
