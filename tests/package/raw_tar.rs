//! Members of a tar archive byte by byte, with headers that no library would write.

/// What a header says, true or not.
pub struct Header<'a> {
    pub name: &'a [u8],
    pub kind: u8,
    pub link: &'a [u8],
    pub mode: u32,
    /// User and group.
    pub owner: (u32, u32),
    pub size: u64,
    /// Which form of tar it is.
    pub magic: &'a [u8; 8],
}

/// The header, the content, and what fills its last block.
pub fn member(header: &Header<'_>, content: &[u8]) -> Vec<u8> {
    let mut block = [0_u8; 512];
    let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, header.name);
    put(100, format!("{:07o}\0", header.mode).as_bytes());
    put(108, format!("{:07o}\0", header.owner.0).as_bytes());
    put(116, format!("{:07o}\0", header.owner.1).as_bytes());
    put(124, format!("{:011o}\0", header.size).as_bytes());
    put(136, b"00000000000\0");
    put(148, b"        ");
    put(156, &[header.kind]);
    put(157, header.link);
    put(257, header.magic);
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let mut out = block.to_vec();
    out.extend(content);
    out.resize(out.len().next_multiple_of(512), 0);
    out
}
