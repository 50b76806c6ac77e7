//! Close codes of docs/PROTOCOL.md, chapter 14, and the two codes that browsers let a page send.

/// Normal closure.
pub const NORMAL: u16 = 1000;
/// The code that a browser reports when a connection dies without a close frame.
pub const ABNORMAL: u16 = 1006;
/// The server speaks none of the offered protocols.
pub const UNSUPPORTED: u16 = 4400;
/// The session is missing, wrong or expired.
pub const UNAUTHORIZED: u16 = 4401;
/// The session may not do this.
pub const FORBIDDEN: u16 = 4403;
/// The client received nothing for too long and drops the socket.
pub const DEAD_LINK: u16 = 4000;
