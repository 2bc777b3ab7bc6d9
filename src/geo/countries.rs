//! Countries and states of the USA as Route 53 knows them: codes, names, continents, and where their middle is.
//!
//! Continents are Route 53's own (Developer Guide, "Values specific for geolocation records"): Türkiye and all of Russia
//! are in Europe, and territories of the USA are countries. Bouvet Island, Christmas Island, Western Sahara, and Heard
//! and McDonald Islands (BV, CX, EH, HM) are not supported there, so they have no continent here. Coordinates are
//! rounded: they stand in for clients of whom nothing nearer is known.

use super::place::{Code, Coordinates};

#[derive(Debug)]
pub struct Country {
    pub code: Code,
    pub continent: Code,
    pub name: &'static str,
    pub centroid: Coordinates,
}

#[derive(Debug)]
pub struct State {
    pub code: Code,
    pub name: &'static str,
    pub centroid: Coordinates,
}

/// Codes and names of the continents.
pub const CONTINENTS: [(Code, &str); 7] = [
    (*b"AF", "Africa"),
    (*b"AN", "Antarctica"),
    (*b"AS", "Asia"),
    (*b"EU", "Europe"),
    (*b"NA", "North America"),
    (*b"OC", "Oceania"),
    (*b"SA", "South America"),
];

/// Countries that Route 53 doesn't support.
pub const UNSUPPORTED: [Code; 4] = [*b"BV", *b"CX", *b"EH", *b"HM"];

pub fn is_continent(code: Code) -> bool {
    CONTINENTS.iter().any(|(continent, _)| *continent == code)
}

/// The country of this code.
pub fn country(code: Code) -> Option<&'static Country> {
    let found = COUNTRIES.binary_search_by_key(&code, |country| country.code).ok()?;
    COUNTRIES.get(found)
}

/// The state of the USA of this code.
pub fn state(code: Code) -> Option<&'static State> {
    STATES.iter().find(|state| state.code == code)
}

/// The state of the USA of this name.
pub fn state_named(name: &str) -> Option<&'static State> {
    STATES.iter().find(|state| state.name.eq_ignore_ascii_case(name))
}

/// The middle of a subdivision, or else of its country.
pub fn centroid(of: Code, subdivision: Option<Code>) -> Option<Coordinates> {
    let state = subdivision.filter(|_| of == *b"US").and_then(state);
    state.map(|state| state.centroid).or_else(|| Some(country(of)?.centroid))
}

const fn at(code: Code, continent: Code, name: &'static str, latitude: f64, longitude: f64) -> Country {
    Country { code, continent, name, centroid: Coordinates::known(latitude, longitude) }
}

const fn us(code: Code, name: &'static str, latitude: f64, longitude: f64) -> State {
    State { code, name, centroid: Coordinates::known(latitude, longitude) }
}

/// By code.
pub static COUNTRIES: [Country; 246] = [
    at(*b"AD", *b"EU", "Andorra", 42.5, 1.5),
    at(*b"AE", *b"AS", "United Arab Emirates", 24.0, 54.0),
    at(*b"AF", *b"AS", "Afghanistan", 33.0, 65.0),
    at(*b"AG", *b"NA", "Antigua and Barbuda", 17.05, -61.8),
    at(*b"AI", *b"NA", "Anguilla", 18.25, -63.17),
    at(*b"AL", *b"EU", "Albania", 41.0, 20.0),
    at(*b"AM", *b"AS", "Armenia", 40.0, 45.0),
    at(*b"AO", *b"AF", "Angola", -12.5, 18.5),
    at(*b"AQ", *b"AN", "Antarctica", -90.0, 0.0),
    at(*b"AR", *b"SA", "Argentina", -34.0, -64.0),
    at(*b"AS", *b"OC", "American Samoa", -14.33, -170.0),
    at(*b"AT", *b"EU", "Austria", 47.33, 13.33),
    at(*b"AU", *b"OC", "Australia", -27.0, 133.0),
    at(*b"AW", *b"NA", "Aruba", 12.5, -69.97),
    at(*b"AX", *b"EU", "Åland Islands", 60.12, 19.9),
    at(*b"AZ", *b"AS", "Azerbaijan", 40.5, 47.5),
    at(*b"BA", *b"EU", "Bosnia and Herzegovina", 44.0, 18.0),
    at(*b"BB", *b"NA", "Barbados", 13.17, -59.53),
    at(*b"BD", *b"AS", "Bangladesh", 24.0, 90.0),
    at(*b"BE", *b"EU", "Belgium", 50.83, 4.0),
    at(*b"BF", *b"AF", "Burkina Faso", 13.0, -2.0),
    at(*b"BG", *b"EU", "Bulgaria", 43.0, 25.0),
    at(*b"BH", *b"AS", "Bahrain", 26.0, 50.55),
    at(*b"BI", *b"AF", "Burundi", -3.5, 30.0),
    at(*b"BJ", *b"AF", "Benin", 9.5, 2.25),
    at(*b"BL", *b"NA", "Saint Barthélemy", 17.9, -62.83),
    at(*b"BM", *b"NA", "Bermuda", 32.33, -64.75),
    at(*b"BN", *b"AS", "Brunei", 4.5, 114.67),
    at(*b"BO", *b"SA", "Bolivia", -17.0, -65.0),
    at(*b"BQ", *b"NA", "Bonaire, Sint Eustatius and Saba", 12.2, -68.25),
    at(*b"BR", *b"SA", "Brazil", -10.0, -55.0),
    at(*b"BS", *b"NA", "Bahamas", 24.25, -76.0),
    at(*b"BT", *b"AS", "Bhutan", 27.5, 90.5),
    at(*b"BW", *b"AF", "Botswana", -22.0, 24.0),
    at(*b"BY", *b"EU", "Belarus", 53.0, 28.0),
    at(*b"BZ", *b"NA", "Belize", 17.25, -88.75),
    at(*b"CA", *b"NA", "Canada", 60.0, -95.0),
    at(*b"CC", *b"AS", "Cocos (Keeling) Islands", -12.5, 96.83),
    at(*b"CD", *b"AF", "Democratic Republic of the Congo", 0.0, 25.0),
    at(*b"CF", *b"AF", "Central African Republic", 7.0, 21.0),
    at(*b"CG", *b"AF", "Republic of the Congo", -1.0, 15.0),
    at(*b"CH", *b"EU", "Switzerland", 47.0, 8.0),
    at(*b"CI", *b"AF", "Côte d'Ivoire", 8.0, -5.0),
    at(*b"CK", *b"OC", "Cook Islands", -21.23, -159.77),
    at(*b"CL", *b"SA", "Chile", -30.0, -71.0),
    at(*b"CM", *b"AF", "Cameroon", 6.0, 12.0),
    at(*b"CN", *b"AS", "China", 35.0, 105.0),
    at(*b"CO", *b"SA", "Colombia", 4.0, -72.0),
    at(*b"CR", *b"NA", "Costa Rica", 10.0, -84.0),
    at(*b"CU", *b"NA", "Cuba", 21.5, -80.0),
    at(*b"CV", *b"AF", "Cabo Verde", 16.0, -24.0),
    at(*b"CW", *b"NA", "Curaçao", 12.17, -69.0),
    at(*b"CY", *b"EU", "Cyprus", 35.0, 33.0),
    at(*b"CZ", *b"EU", "Czechia", 49.75, 15.5),
    at(*b"DE", *b"EU", "Germany", 51.0, 9.0),
    at(*b"DJ", *b"AF", "Djibouti", 11.5, 43.0),
    at(*b"DK", *b"EU", "Denmark", 56.0, 10.0),
    at(*b"DM", *b"NA", "Dominica", 15.42, -61.33),
    at(*b"DO", *b"NA", "Dominican Republic", 19.0, -70.67),
    at(*b"DZ", *b"AF", "Algeria", 28.0, 3.0),
    at(*b"EC", *b"SA", "Ecuador", -2.0, -77.5),
    at(*b"EE", *b"EU", "Estonia", 59.0, 26.0),
    at(*b"EG", *b"AF", "Egypt", 27.0, 30.0),
    at(*b"ER", *b"AF", "Eritrea", 15.0, 39.0),
    at(*b"ES", *b"EU", "Spain", 40.0, -4.0),
    at(*b"ET", *b"AF", "Ethiopia", 8.0, 38.0),
    at(*b"FI", *b"EU", "Finland", 64.0, 26.0),
    at(*b"FJ", *b"OC", "Fiji", -18.0, 178.0),
    at(*b"FK", *b"SA", "Falkland Islands", -51.75, -59.0),
    at(*b"FM", *b"OC", "Micronesia", 6.92, 158.25),
    at(*b"FO", *b"EU", "Faroe Islands", 62.0, -7.0),
    at(*b"FR", *b"EU", "France", 46.0, 2.0),
    at(*b"GA", *b"AF", "Gabon", -1.0, 11.75),
    at(*b"GB", *b"EU", "United Kingdom", 54.0, -2.0),
    at(*b"GD", *b"NA", "Grenada", 12.12, -61.67),
    at(*b"GE", *b"AS", "Georgia", 42.0, 43.5),
    at(*b"GF", *b"SA", "French Guiana", 4.0, -53.0),
    at(*b"GG", *b"EU", "Guernsey", 49.47, -2.58),
    at(*b"GH", *b"AF", "Ghana", 8.0, -2.0),
    at(*b"GI", *b"EU", "Gibraltar", 36.13, -5.35),
    at(*b"GL", *b"NA", "Greenland", 72.0, -40.0),
    at(*b"GM", *b"AF", "Gambia", 13.47, -16.57),
    at(*b"GN", *b"AF", "Guinea", 11.0, -10.0),
    at(*b"GP", *b"NA", "Guadeloupe", 16.25, -61.58),
    at(*b"GQ", *b"AF", "Equatorial Guinea", 2.0, 10.0),
    at(*b"GR", *b"EU", "Greece", 39.0, 22.0),
    at(*b"GS", *b"AN", "South Georgia and the South Sandwich Islands", -54.5, -37.0),
    at(*b"GT", *b"NA", "Guatemala", 15.5, -90.25),
    at(*b"GU", *b"OC", "Guam", 13.47, 144.78),
    at(*b"GW", *b"AF", "Guinea-Bissau", 12.0, -15.0),
    at(*b"GY", *b"SA", "Guyana", 5.0, -59.0),
    at(*b"HK", *b"AS", "Hong Kong", 22.25, 114.17),
    at(*b"HN", *b"NA", "Honduras", 15.0, -86.5),
    at(*b"HR", *b"EU", "Croatia", 45.17, 15.5),
    at(*b"HT", *b"NA", "Haiti", 19.0, -72.42),
    at(*b"HU", *b"EU", "Hungary", 47.0, 20.0),
    at(*b"ID", *b"AS", "Indonesia", -5.0, 120.0),
    at(*b"IE", *b"EU", "Ireland", 53.0, -8.0),
    at(*b"IL", *b"AS", "Israel", 31.5, 34.75),
    at(*b"IM", *b"EU", "Isle of Man", 54.25, -4.5),
    at(*b"IN", *b"AS", "India", 20.0, 77.0),
    at(*b"IO", *b"AS", "British Indian Ocean Territory", -6.0, 71.5),
    at(*b"IQ", *b"AS", "Iraq", 33.0, 44.0),
    at(*b"IR", *b"AS", "Iran", 32.0, 53.0),
    at(*b"IS", *b"EU", "Iceland", 65.0, -18.0),
    at(*b"IT", *b"EU", "Italy", 42.83, 12.83),
    at(*b"JE", *b"EU", "Jersey", 49.25, -2.17),
    at(*b"JM", *b"NA", "Jamaica", 18.25, -77.5),
    at(*b"JO", *b"AS", "Jordan", 31.0, 36.0),
    at(*b"JP", *b"AS", "Japan", 36.0, 138.0),
    at(*b"KE", *b"AF", "Kenya", 1.0, 38.0),
    at(*b"KG", *b"AS", "Kyrgyzstan", 41.0, 75.0),
    at(*b"KH", *b"AS", "Cambodia", 13.0, 105.0),
    at(*b"KI", *b"OC", "Kiribati", 1.42, 173.0),
    at(*b"KM", *b"AF", "Comoros", -12.17, 44.25),
    at(*b"KN", *b"NA", "Saint Kitts and Nevis", 17.33, -62.75),
    at(*b"KP", *b"AS", "North Korea", 40.0, 127.0),
    at(*b"KR", *b"AS", "South Korea", 37.0, 127.5),
    at(*b"KW", *b"AS", "Kuwait", 29.5, 45.75),
    at(*b"KY", *b"NA", "Cayman Islands", 19.5, -80.5),
    at(*b"KZ", *b"AS", "Kazakhstan", 48.0, 68.0),
    at(*b"LA", *b"AS", "Laos", 18.0, 105.0),
    at(*b"LB", *b"AS", "Lebanon", 33.83, 35.83),
    at(*b"LC", *b"NA", "Saint Lucia", 13.88, -60.97),
    at(*b"LI", *b"EU", "Liechtenstein", 47.27, 9.53),
    at(*b"LK", *b"AS", "Sri Lanka", 7.0, 81.0),
    at(*b"LR", *b"AF", "Liberia", 6.5, -9.5),
    at(*b"LS", *b"AF", "Lesotho", -29.5, 28.5),
    at(*b"LT", *b"EU", "Lithuania", 56.0, 24.0),
    at(*b"LU", *b"EU", "Luxembourg", 49.75, 6.17),
    at(*b"LV", *b"EU", "Latvia", 57.0, 25.0),
    at(*b"LY", *b"AF", "Libya", 25.0, 17.0),
    at(*b"MA", *b"AF", "Morocco", 32.0, -5.0),
    at(*b"MC", *b"EU", "Monaco", 43.73, 7.4),
    at(*b"MD", *b"EU", "Moldova", 47.0, 29.0),
    at(*b"ME", *b"EU", "Montenegro", 42.5, 19.3),
    at(*b"MF", *b"NA", "Saint Martin", 18.08, -63.95),
    at(*b"MG", *b"AF", "Madagascar", -20.0, 47.0),
    at(*b"MH", *b"OC", "Marshall Islands", 9.0, 168.0),
    at(*b"MK", *b"EU", "North Macedonia", 41.83, 22.0),
    at(*b"ML", *b"AF", "Mali", 17.0, -4.0),
    at(*b"MM", *b"AS", "Myanmar", 22.0, 98.0),
    at(*b"MN", *b"AS", "Mongolia", 46.0, 105.0),
    at(*b"MO", *b"AS", "Macao", 22.17, 113.55),
    at(*b"MP", *b"OC", "Northern Mariana Islands", 15.2, 145.75),
    at(*b"MQ", *b"NA", "Martinique", 14.67, -61.0),
    at(*b"MR", *b"AF", "Mauritania", 20.0, -12.0),
    at(*b"MS", *b"NA", "Montserrat", 16.75, -62.2),
    at(*b"MT", *b"EU", "Malta", 35.83, 14.58),
    at(*b"MU", *b"AF", "Mauritius", -20.28, 57.55),
    at(*b"MV", *b"AS", "Maldives", 3.25, 73.0),
    at(*b"MW", *b"AF", "Malawi", -13.5, 34.0),
    at(*b"MX", *b"NA", "Mexico", 23.0, -102.0),
    at(*b"MY", *b"AS", "Malaysia", 2.5, 112.5),
    at(*b"MZ", *b"AF", "Mozambique", -18.25, 35.0),
    at(*b"NA", *b"AF", "Namibia", -22.0, 17.0),
    at(*b"NC", *b"OC", "New Caledonia", -21.5, 165.5),
    at(*b"NE", *b"AF", "Niger", 16.0, 8.0),
    at(*b"NF", *b"OC", "Norfolk Island", -29.03, 167.95),
    at(*b"NG", *b"AF", "Nigeria", 10.0, 8.0),
    at(*b"NI", *b"NA", "Nicaragua", 13.0, -85.0),
    at(*b"NL", *b"EU", "Netherlands", 52.5, 5.75),
    at(*b"NO", *b"EU", "Norway", 62.0, 10.0),
    at(*b"NP", *b"AS", "Nepal", 28.0, 84.0),
    at(*b"NR", *b"OC", "Nauru", -0.53, 166.92),
    at(*b"NU", *b"OC", "Niue", -19.03, -169.87),
    at(*b"NZ", *b"OC", "New Zealand", -41.0, 174.0),
    at(*b"OM", *b"AS", "Oman", 21.0, 57.0),
    at(*b"PA", *b"NA", "Panama", 9.0, -80.0),
    at(*b"PE", *b"SA", "Peru", -10.0, -76.0),
    at(*b"PF", *b"OC", "French Polynesia", -15.0, -140.0),
    at(*b"PG", *b"OC", "Papua New Guinea", -6.0, 147.0),
    at(*b"PH", *b"AS", "Philippines", 13.0, 122.0),
    at(*b"PK", *b"AS", "Pakistan", 30.0, 70.0),
    at(*b"PL", *b"EU", "Poland", 52.0, 20.0),
    at(*b"PM", *b"NA", "Saint Pierre and Miquelon", 46.83, -56.33),
    at(*b"PN", *b"OC", "Pitcairn Islands", -25.07, -130.1),
    at(*b"PR", *b"NA", "Puerto Rico", 18.25, -66.5),
    at(*b"PS", *b"AS", "Palestine", 31.9, 35.2),
    at(*b"PT", *b"EU", "Portugal", 39.5, -8.0),
    at(*b"PW", *b"OC", "Palau", 7.5, 134.5),
    at(*b"PY", *b"SA", "Paraguay", -23.0, -58.0),
    at(*b"QA", *b"AS", "Qatar", 25.5, 51.25),
    at(*b"RE", *b"AF", "Réunion", -21.1, 55.6),
    at(*b"RO", *b"EU", "Romania", 46.0, 25.0),
    at(*b"RS", *b"EU", "Serbia", 44.0, 21.0),
    at(*b"RU", *b"EU", "Russia", 60.0, 100.0),
    at(*b"RW", *b"AF", "Rwanda", -2.0, 30.0),
    at(*b"SA", *b"AS", "Saudi Arabia", 25.0, 45.0),
    at(*b"SB", *b"OC", "Solomon Islands", -8.0, 159.0),
    at(*b"SC", *b"AF", "Seychelles", -4.58, 55.67),
    at(*b"SD", *b"AF", "Sudan", 15.0, 30.0),
    at(*b"SE", *b"EU", "Sweden", 62.0, 15.0),
    at(*b"SG", *b"AS", "Singapore", 1.37, 103.8),
    at(*b"SH", *b"AF", "Saint Helena", -15.95, -5.7),
    at(*b"SI", *b"EU", "Slovenia", 46.12, 14.82),
    at(*b"SJ", *b"EU", "Svalbard and Jan Mayen", 78.0, 20.0),
    at(*b"SK", *b"EU", "Slovakia", 48.67, 19.5),
    at(*b"SL", *b"AF", "Sierra Leone", 8.5, -11.5),
    at(*b"SM", *b"EU", "San Marino", 43.77, 12.42),
    at(*b"SN", *b"AF", "Senegal", 14.0, -14.0),
    at(*b"SO", *b"AF", "Somalia", 10.0, 49.0),
    at(*b"SR", *b"SA", "Suriname", 4.0, -56.0),
    at(*b"SS", *b"AF", "South Sudan", 8.0, 30.0),
    at(*b"ST", *b"AF", "São Tomé and Príncipe", 1.0, 7.0),
    at(*b"SV", *b"NA", "El Salvador", 13.83, -88.92),
    at(*b"SX", *b"NA", "Sint Maarten", 18.03, -63.07),
    at(*b"SY", *b"AS", "Syria", 35.0, 38.0),
    at(*b"SZ", *b"AF", "Eswatini", -26.5, 31.5),
    at(*b"TC", *b"NA", "Turks and Caicos Islands", 21.75, -71.58),
    at(*b"TD", *b"AF", "Chad", 15.0, 19.0),
    at(*b"TF", *b"AN", "French Southern Territories", -49.25, 69.17),
    at(*b"TG", *b"AF", "Togo", 8.0, 1.17),
    at(*b"TH", *b"AS", "Thailand", 15.0, 100.0),
    at(*b"TJ", *b"AS", "Tajikistan", 39.0, 71.0),
    at(*b"TK", *b"OC", "Tokelau", -9.0, -172.0),
    at(*b"TL", *b"OC", "Timor-Leste", -8.83, 125.92),
    at(*b"TM", *b"AS", "Turkmenistan", 40.0, 60.0),
    at(*b"TN", *b"AF", "Tunisia", 34.0, 9.0),
    at(*b"TO", *b"OC", "Tonga", -20.0, -175.0),
    at(*b"TR", *b"EU", "Türkiye", 39.0, 35.0),
    at(*b"TT", *b"NA", "Trinidad and Tobago", 11.0, -61.0),
    at(*b"TV", *b"OC", "Tuvalu", -8.0, 178.0),
    at(*b"TW", *b"AS", "Taiwan", 23.5, 121.0),
    at(*b"TZ", *b"AF", "Tanzania", -6.0, 35.0),
    at(*b"UA", *b"EU", "Ukraine", 49.0, 32.0),
    at(*b"UG", *b"AF", "Uganda", 1.0, 32.0),
    at(*b"UM", *b"OC", "U.S. Minor Outlying Islands", 19.28, 166.6),
    at(*b"US", *b"NA", "USA", 38.0, -97.0),
    at(*b"UY", *b"SA", "Uruguay", -33.0, -56.0),
    at(*b"UZ", *b"AS", "Uzbekistan", 41.0, 64.0),
    at(*b"VA", *b"EU", "Vatican City", 41.9, 12.45),
    at(*b"VC", *b"NA", "Saint Vincent and the Grenadines", 13.25, -61.2),
    at(*b"VE", *b"SA", "Venezuela", 8.0, -66.0),
    at(*b"VG", *b"NA", "British Virgin Islands", 18.5, -64.5),
    at(*b"VI", *b"NA", "U.S. Virgin Islands", 18.33, -64.83),
    at(*b"VN", *b"AS", "Vietnam", 16.0, 106.0),
    at(*b"VU", *b"OC", "Vanuatu", -16.0, 167.0),
    at(*b"WF", *b"OC", "Wallis and Futuna", -13.3, -176.2),
    at(*b"WS", *b"OC", "Samoa", -13.58, -172.33),
    at(*b"XK", *b"EU", "Kosovo", 42.58, 21.0),
    at(*b"YE", *b"AS", "Yemen", 15.0, 48.0),
    at(*b"YT", *b"AF", "Mayotte", -12.83, 45.17),
    at(*b"ZA", *b"AF", "South Africa", -29.0, 24.0),
    at(*b"ZM", *b"AF", "Zambia", -15.0, 30.0),
    at(*b"ZW", *b"AF", "Zimbabwe", -20.0, 30.0),
];

/// The fifty states and the District of Columbia, by code.
pub static STATES: [State; 51] = [
    us(*b"AK", "Alaska", 64.1, -152.3),
    us(*b"AL", "Alabama", 32.8, -86.8),
    us(*b"AR", "Arkansas", 34.9, -92.4),
    us(*b"AZ", "Arizona", 34.3, -111.7),
    us(*b"CA", "California", 37.2, -119.5),
    us(*b"CO", "Colorado", 39.0, -105.5),
    us(*b"CT", "Connecticut", 41.6, -72.7),
    us(*b"DC", "District of Columbia", 38.9, -77.0),
    us(*b"DE", "Delaware", 39.0, -75.5),
    us(*b"FL", "Florida", 28.6, -82.4),
    us(*b"GA", "Georgia", 32.6, -83.4),
    us(*b"HI", "Hawaii", 20.3, -156.4),
    us(*b"IA", "Iowa", 42.1, -93.5),
    us(*b"ID", "Idaho", 44.4, -114.6),
    us(*b"IL", "Illinois", 40.0, -89.2),
    us(*b"IN", "Indiana", 39.9, -86.3),
    us(*b"KS", "Kansas", 38.5, -98.4),
    us(*b"KY", "Kentucky", 37.5, -85.3),
    us(*b"LA", "Louisiana", 31.1, -92.0),
    us(*b"MA", "Massachusetts", 42.3, -71.8),
    us(*b"MD", "Maryland", 39.1, -76.8),
    us(*b"ME", "Maine", 45.4, -69.2),
    us(*b"MI", "Michigan", 44.3, -85.4),
    us(*b"MN", "Minnesota", 46.3, -94.3),
    us(*b"MO", "Missouri", 38.4, -92.5),
    us(*b"MS", "Mississippi", 32.7, -89.7),
    us(*b"MT", "Montana", 47.1, -109.6),
    us(*b"NC", "North Carolina", 35.6, -79.4),
    us(*b"ND", "North Dakota", 47.5, -100.5),
    us(*b"NE", "Nebraska", 41.5, -99.8),
    us(*b"NH", "New Hampshire", 43.7, -71.6),
    us(*b"NJ", "New Jersey", 40.2, -74.7),
    us(*b"NM", "New Mexico", 34.4, -106.1),
    us(*b"NV", "Nevada", 39.3, -116.6),
    us(*b"NY", "New York", 42.9, -75.5),
    us(*b"OH", "Ohio", 40.3, -82.8),
    us(*b"OK", "Oklahoma", 35.6, -97.5),
    us(*b"OR", "Oregon", 43.9, -120.6),
    us(*b"PA", "Pennsylvania", 40.9, -77.8),
    us(*b"RI", "Rhode Island", 41.6, -71.5),
    us(*b"SC", "South Carolina", 33.9, -80.9),
    us(*b"SD", "South Dakota", 44.4, -100.2),
    us(*b"TN", "Tennessee", 35.9, -86.4),
    us(*b"TX", "Texas", 31.5, -99.3),
    us(*b"UT", "Utah", 39.3, -111.7),
    us(*b"VA", "Virginia", 37.5, -78.9),
    us(*b"VT", "Vermont", 44.1, -72.7),
    us(*b"WA", "Washington", 47.4, -120.4),
    us(*b"WI", "Wisconsin", 44.6, -89.9),
    us(*b"WV", "West Virginia", 38.6, -80.6),
    us(*b"WY", "Wyoming", 43.0, -107.6),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// route53.md 2.4.6: the table of the Developer Guide, continent by continent.
    #[test]
    fn continents_are_route_53s() {
        let table = [
            (
                *b"AF",
                "AO BF BI BJ BW CD CF CG CI CM CV DJ DZ EG ER ET GA GH GM GN GQ GW KE KM LR LS LY MA \
                 MG ML MR MU MW MZ NA NE NG RE RW SC SD SH SL SN SO SS ST SZ TD TG TN TZ UG YT ZA ZM \
                 ZW",
            ),
            (*b"AN", "AQ GS TF"),
            (
                *b"AS",
                "AE AF AM AZ BD BH BN BT CC CN GE HK ID IL IN IO IQ IR JO JP KG KH KP KR KW KZ LA LB \
                 LK MM MN MO MV MY NP OM PH PK PS QA SA SG SY TH TJ TM TW UZ VN YE",
            ),
            (
                *b"EU",
                "AD AL AT AX BA BE BG BY CH CY CZ DE DK EE ES FI FO FR GB GG GI GR HR HU IE IM IS IT \
                 JE LI LT LU LV MC MD ME MK MT NL NO PL PT RO RS RU SE SI SJ SK SM TR UA VA XK",
            ),
            (
                *b"NA",
                "AG AI AW BB BL BM BQ BS BZ CA CR CU CW DM DO GD GL GP GT HN HT JM KN KY LC MF MQ MS \
                 MX NI PA PM PR SV SX TC TT US VC VG VI",
            ),
            (*b"OC", "AS AU CK FJ FM GU KI MH MP NC NF NR NU NZ PF PG PN PW SB TK TL TO TV UM VU WF WS"),
            (*b"SA", "AR BO BR CL CO EC FK GF GY PE PY SR UY VE"),
        ];
        for (continent, codes) in table {
            let here = COUNTRIES.iter().filter(|country| country.continent == continent);
            let here: Vec<&str> = here.map(|country| super::super::place::text(&country.code)).collect();
            assert_eq!(here.join(" "), codes, "{}", super::super::place::text(&continent));
        }
        for code in UNSUPPORTED {
            assert!(country(code).is_none());
        }
    }

    #[test]
    fn tables_are_in_order_and_on_the_globe() {
        assert!(COUNTRIES.is_sorted_by(|a, b| a.code < b.code));
        assert!(STATES.is_sorted_by(|a, b| a.code < b.code));
        assert_eq!(STATES.len(), 51);
        let centroids =
            COUNTRIES.iter().map(|country| country.centroid).chain(STATES.iter().map(|state| state.centroid));
        for centroid in centroids {
            assert!(Coordinates::new(centroid.latitude(), centroid.longitude()).is_some(), "{centroid:?}");
        }
    }

    #[test]
    fn a_state_is_nearer_than_its_country() {
        assert_eq!(centroid(*b"US", Some(*b"CA")), Some(state_named("california").unwrap().centroid));
        assert_eq!(centroid(*b"US", None), Some(country(*b"US").unwrap().centroid));
        assert_eq!(centroid(*b"DE", Some(*b"CA")), Some(country(*b"DE").unwrap().centroid));
        assert_eq!(centroid(*b"EH", None), None);
    }
}
