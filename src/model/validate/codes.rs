//! The codes that Route 53 knows: regions, countries, states.

use crate::model::record_set::Location;
use crate::problem::nearest;

/// `ResourceRecordSetRegion` of the API.
const REGIONS: [&str; 39] = [
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
    "ca-central-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "eu-central-1",
    "eu-central-2",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "eu-north-1",
    "sa-east-1",
    "cn-north-1",
    "cn-northwest-1",
    "ap-east-1",
    "me-south-1",
    "me-central-1",
    "ap-south-1",
    "ap-south-2",
    "af-south-1",
    "eu-south-1",
    "eu-south-2",
    "ap-southeast-4",
    "il-central-1",
    "ca-west-1",
    "ap-southeast-5",
    "mx-central-1",
    "ap-southeast-7",
    "us-gov-east-1",
    "us-gov-west-1",
    "ap-east-2",
    "ap-southeast-6",
    "eusc-de-east-1",
];

/// The countries that Route 53 places on a continent; it supports no others.
const COUNTRIES: &str = "AO BF BI BJ BW CD CF CG CI CM CV DJ DZ EG ER ET GA GH GM GN GQ GW KE KM LR LS LY MA MG ML MR MU \
    MW MZ NA NE NG RE RW SC SD SH SL SN SO SS ST SZ TD TG TN TZ UG YT ZA ZM ZW AQ GS TF AE AF AM AZ BD BH BN BT CC CN GE \
    HK ID IL IN IO IQ IR JO JP KG KH KP KR KW KZ LA LB LK MM MN MO MV MY NP OM PH PK PS QA SA SG SY TH TJ TM TW UZ VN YE \
    AD AL AT AX BA BE BG BY CH CY CZ DE DK EE ES FI FO FR GB GG GI GR HR HU IE IM IS IT JE LI LT LU LV MC MD ME MK MT NL \
    NO PL PT RO RS RU SE SI SJ SK SM TR UA VA XK AG AI AW BB BL BM BQ BS BZ CA CR CU CW DM DO GD GL GP GT HN HT JM KN KY \
    LC MF MQ MS MX NI PA PM PR SV SX TC TT US VC VG VI AS AU CK FJ FM GU KI MH MP NC NF NR NU NZ PF PG PN PW SB TK TL TO \
    TV UM VU WF WS AR BO BR CL CO EC FK GF GY PE PY SR UY VE";

/// The subdivisions that Route 53 knows, all of the United States.
const STATES: &str = "AL AK AZ AR CA CO CT DE DC FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY \
    NC ND OH OK OR PA RI SC SD TN TX UT VT VA WA WV WI WY";

pub fn text(code: &[u8; 2]) -> String {
    code.iter().map(|&byte| char::from(byte)).collect()
}

/// What to do about a region that Route 53 has not; none for one it has.
pub fn not_a_region(region: &str) -> Option<String> {
    if REGIONS.contains(&region) {
        return None;
    }
    Some(match nearest(region, REGIONS) {
        Some(meant) => format!("did you mean {meant:?}?"),
        None => "name a region, as eu-west-1".to_string(),
    })
}

/// What is wrong with a location that Route 53 has not, and what to do; none for one it has.
pub fn not_a_location(location: &Location) -> Option<(String, String)> {
    let listed = |codes: &str, code: &[u8; 2]| codes.split_ascii_whitespace().any(|known| known.as_bytes() == code);
    match location {
        Location::Country(country) if !listed(COUNTRIES, country) => Some((
            format!("Route 53 has no country {}", text(country)),
            "write an ISO 3166-1 code (GB for the United Kingdom), or set limits = \"none\"".to_string(),
        )),
        Location::Subdivision { country, .. } if country != b"US" => Some((
            format!("Route 53 has no subdivisions of {}", text(country)),
            "name the country only, or set limits = \"none\"".to_string(),
        )),
        Location::Subdivision { subdivision, .. } if !listed(STATES, subdivision) => Some((
            format!("Route 53 has no state {} of US", text(subdivision)),
            "write a state's code, as CA; territories, as PR, are countries".to_string(),
        )),
        _ => None,
    }
}
