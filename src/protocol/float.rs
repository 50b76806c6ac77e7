//! Reading numbers: the one pure function that the core leaves to the platform it runs on.

/// The nearest f64 of a JSON number; infinite beyond the range. In a browser the engine reads it:
/// the standard library's way brings tables of ten kilobytes into the module. Tests in both places
/// compare the two.
pub(crate) fn parse(number: &str) -> f64 {
    #[cfg(target_arch = "wasm32")]
    let value = js_sys::parse_float(number);
    #[cfg(not(target_arch = "wasm32"))]
    let value = number.parse().unwrap_or(f64::NAN);
    value
}
