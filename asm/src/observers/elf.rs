//! The smallest ELF file that says where a piece of code lies and what it is called.
//!
//! Source: the System V ABI and its supplement for the processor. The file is an executable's, so that all addresses in
//! it are final; the code itself is not in it, it lies in the process already.

/// How ELF names this machine.
pub(super) const MACHINE: u16 = if cfg!(target_arch = "aarch64") { 183 } else { 62 };

/// Bytes of the file's header, of a section's header and of a symbol.
pub(super) const FILE_HEADER: usize = 64;
pub(super) const SECTION_HEADER: usize = 64;
const SYMBOL: usize = 24;

const SHT_PROGBITS: u32 = 1;
const SHT_SYMTAB: u32 = 2;
const SHT_STRTAB: u32 = 3;
const SHT_NOBITS: u32 = 8;
const SHF_ALLOC_EXEC: u64 = 2 | 4;

/// The place of `.text` and `.strtab` in the table of sections.
const TEXT: u16 = 1;
const STRTAB: u32 = 3;

#[derive(Default)]
struct Section<'a> {
    name: &'a str,
    kind: u32,
    flags: u64,
    address: u64,
    contents: Vec<u8>,
    /// Of a section without contents.
    size: u64,
    link: u32,
    info: u32,
    align: u64,
    entry: u64,
}

/// A file with one function, and with sections of debug information that are taken as they are.
pub(super) fn image(address: u64, bytes: u64, name: &str, debug: Vec<(&str, Vec<u8>)>) -> Vec<u8> {
    let names = [&[0], name.as_bytes(), &[0]].concat();
    let mut sections = vec![
        Section::default(),
        Section {
            name: ".text",
            kind: SHT_NOBITS,
            flags: SHF_ALLOC_EXEC,
            address,
            size: bytes,
            align: 16,
            ..Section::default()
        },
        Section {
            name: ".symtab",
            kind: SHT_SYMTAB,
            contents: symbols(address, bytes),
            link: STRTAB,
            // The first symbol that is not local.
            info: 1,
            align: 8,
            entry: SYMBOL as u64,
            ..Section::default()
        },
        Section { name: ".strtab", kind: SHT_STRTAB, contents: names, align: 1, ..Section::default() },
    ];
    for (name, contents) in debug {
        sections.push(Section { name, kind: SHT_PROGBITS, contents, align: 1, ..Section::default() });
    }
    sections.push(Section { name: ".shstrtab", kind: SHT_STRTAB, align: 1, ..Section::default() });

    let (mut headers, mut contents) = (vec![0; SECTION_HEADER], Vec::new());
    let names: Vec<u8> = sections.iter().flat_map(|section| section.name.bytes().chain([0])).collect();
    let last = sections.len() - 1;
    sections[last].contents = names;
    let contents_at = FILE_HEADER + sections.len() * SECTION_HEADER;
    let mut name_at = 1;
    for section in &sections[1..] {
        let offset = contents_at + contents.len();
        let size = if section.kind == SHT_NOBITS { section.size } else { section.contents.len() as u64 };
        headers.extend((name_at as u32).to_ne_bytes());
        headers.extend(section.kind.to_ne_bytes());
        for word in [section.flags, section.address, offset as u64, size] {
            headers.extend(word.to_ne_bytes());
        }
        headers.extend(section.link.to_ne_bytes());
        headers.extend(section.info.to_ne_bytes());
        headers.extend(section.align.to_ne_bytes());
        headers.extend(section.entry.to_ne_bytes());
        contents.extend(&section.contents);
        contents.resize(contents.len().next_multiple_of(8), 0);
        name_at += section.name.len() + 1;
    }
    [file_header(address, sections.len()), headers, contents].concat()
}

fn file_header(entry: u64, sections: usize) -> Vec<u8> {
    const CLASS_64: u8 = 2;
    const CURRENT: u8 = 1;
    const EXECUTABLE: u16 = 2;
    let order = if cfg!(target_endian = "little") { 1 } else { 2 };
    let mut header = vec![0x7f, b'E', b'L', b'F', CLASS_64, order, CURRENT, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    header.extend(EXECUTABLE.to_ne_bytes());
    header.extend(MACHINE.to_ne_bytes());
    header.extend(u32::from(CURRENT).to_ne_bytes());
    for word in [entry, 0, FILE_HEADER as u64] {
        header.extend(word.to_ne_bytes());
    }
    header.extend(0u32.to_ne_bytes());
    // No segments; their header has a size all the same.
    for half in [FILE_HEADER as u16, 56, 0, SECTION_HEADER as u16, sections as u16, sections as u16 - 1] {
        header.extend(half.to_ne_bytes());
    }
    header
}

/// The symbol that there must be, and a global function.
fn symbols(address: u64, bytes: u64) -> Vec<u8> {
    const GLOBAL_FUNCTION: u8 = 1 << 4 | 2;
    let mut symbols = vec![0; SYMBOL];
    symbols.extend(1u32.to_ne_bytes());
    symbols.extend([GLOBAL_FUNCTION, 0]);
    symbols.extend(TEXT.to_ne_bytes());
    symbols.extend(address.to_ne_bytes());
    symbols.extend(bytes.to_ne_bytes());
    symbols
}
