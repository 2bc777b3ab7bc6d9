//! Words that other servers take where a record type stands, and what to write here for each.

/// A word of another server's zone files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Foreign {
    pub word: &'static str,
    /// What the word means, and where.
    pub why: &'static str,
    /// What a zone file has in its place.
    pub write: &'static str,
    /// The types that a client asks for.
    pub asked_as: &'static str,
}

const GDNSD_ADDRESSES: &str = "write one record for each address, with its routing behind it: \
    www 60 A 192.0.2.1 ; AWS routing=\"WEIGHTED\" weight=1 identifier=\"one\" healthCheckId=\"one\" \
    (or FAILOVER, MULTIVALUE, GEOLOCATION, LATENCY, GEOPROXIMITY, CIDR)";

const GDNSD_NAMES: &str = "write one CNAME for each name, with its routing behind it: \
    www 60 CNAME eu.example.net. ; AWS routing=\"GEOLOCATION\" continentCode=\"EU\" identifier=\"europe\" \
    (or WEIGHTED, FAILOVER, LATENCY, GEOPROXIMITY, CIDR)";

const LUA: &str = "write one record for each address, with a health check of health-checks.toml: \
    www 60 A 192.0.2.1 ; AWS routing=\"MULTIVALUE\" identifier=\"one\" healthCheckId=\"one\" \
    (or routing=\"FAILOVER\" failover=\"PRIMARY\" beside a SECONDARY)";

const ALIAS: &str = "write an alias, one for each type: name AWS ALIAS A target $self true";

const WORDS: [Foreign; 5] = [
    Foreign {
        word: "DYNA",
        why: "DYNA is gdnsd's word for addresses that a plugin chooses",
        write: GDNSD_ADDRESSES,
        asked_as: "A or AAAA",
    },
    Foreign {
        word: "DYNC",
        why: "DYNC is gdnsd's word for a CNAME that a plugin chooses",
        write: GDNSD_NAMES,
        asked_as: "CNAME",
    },
    Foreign {
        word: "LUA",
        why: "LUA is PowerDNS's word for records that a program computes",
        write: LUA,
        asked_as: "A or AAAA",
    },
    Foreign {
        word: "ANAME",
        why: "ANAME is another server's word for a name that answers as another does",
        write: ALIAS,
        asked_as: "A or AAAA",
    },
    Foreign {
        word: "ALIAS",
        why: "a name that answers as another does is an alias, as Route 53 has them",
        write: ALIAS,
        asked_as: "A or AAAA",
    },
];

/// What to say of a word that stands where a record type should; none for a word that no other server has.
pub fn foreign(word: &str) -> Option<&'static Foreign> {
    WORDS.iter().find(|foreign| foreign.word.eq_ignore_ascii_case(word))
}
