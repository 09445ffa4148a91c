//! Source lines of a piece of code in DWARF 4: a compilation unit and its line table, nothing else.
//!
//! Source: the DWARF 4 standard, 6.2 (line numbers) and 7 (encodings).

use super::{Code, plain};

/// The sections `.debug_abbrev`, `.debug_info` and `.debug_line`; none without lines.
pub(super) fn sections(code: &Code<'_>) -> Vec<(&'static str, Vec<u8>)> {
    let Some(first) = code.lines.first() else { return Vec::new() };
    vec![(".debug_abbrev", abbreviations()), (".debug_info", unit(code, first.file)), (".debug_line", lines(code))]
}

mod tag {
    pub const COMPILE_UNIT: u8 = 0x11;
}

mod attribute {
    pub const NAME: u8 = 0x03;
    pub const STMT_LIST: u8 = 0x10;
    pub const LOW_PC: u8 = 0x11;
    pub const HIGH_PC: u8 = 0x12;
    pub const COMP_DIR: u8 = 0x1b;
}

mod form {
    pub const ADDR: u8 = 0x01;
    pub const DATA8: u8 = 0x07;
    pub const STRING: u8 = 0x08;
    pub const SEC_OFFSET: u8 = 0x17;
}

/// One kind of entry, numbered 1, without children.
fn abbreviations() -> Vec<u8> {
    let mut bytes = vec![1, tag::COMPILE_UNIT, 0];
    bytes.extend([attribute::STMT_LIST, form::SEC_OFFSET]);
    bytes.extend([attribute::LOW_PC, form::ADDR]);
    // A constant is counted from the low one.
    bytes.extend([attribute::HIGH_PC, form::DATA8]);
    bytes.extend([attribute::NAME, form::STRING]);
    bytes.extend([attribute::COMP_DIR, form::STRING]);
    bytes.extend([0, 0, 0]);
    bytes
}

fn unit(code: &Code<'_>, file: &str) -> Vec<u8> {
    let mut unit = Vec::new();
    unit.extend(4u16.to_ne_bytes());
    unit.extend(0u32.to_ne_bytes());
    unit.push(8);
    unit.push(1);
    unit.extend(0u32.to_ne_bytes());
    unit.extend(code.address.to_ne_bytes());
    unit.extend((code.bytes.len() as u64).to_ne_bytes());
    string(&mut unit, file);
    // Where relative names begin.
    string(&mut unit, &std::env::current_dir().unwrap_or_default().to_string_lossy());
    with_length(unit)
}

fn lines(code: &Code<'_>) -> Vec<u8> {
    let mut files: Vec<&str> = Vec::new();
    for line in code.lines {
        if !files.contains(&line.file) {
            files.push(line.file);
        }
    }

    let mut header = Vec::new();
    // Units of one byte, one operation an instruction, rows are statements; the special opcodes are not used.
    header.extend([1, 1, 1, -5i8 as u8, 14, 13]);
    // How many operands each standard opcode has.
    header.extend([0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1]);
    header.push(0);
    for file in &files {
        string(&mut header, file);
        header.extend([0, 0, 0]);
    }
    header.push(0);

    let mut table = Vec::new();
    table.extend(4u16.to_ne_bytes());
    table.extend((header.len() as u32).to_ne_bytes());
    table.extend(header);
    program(&mut table, code, &files);
    with_length(table)
}

/// The line table as a program that makes it.
fn program(table: &mut Vec<u8>, code: &Code<'_>, files: &[&str]) {
    const COPY: u8 = 1;
    const ADVANCE_PC: u8 = 2;
    const ADVANCE_LINE: u8 = 3;
    const SET_FILE: u8 = 4;
    const END_SEQUENCE: [u8; 3] = [0, 1, 1];
    const SET_ADDRESS: [u8; 3] = [0, 9, 2];

    table.extend(SET_ADDRESS);
    table.extend(code.address.to_ne_bytes());
    let (mut offset, mut number) = (0, 1);
    for line in code.lines {
        let file = files.iter().position(|&file| file == line.file).unwrap_or(0);
        table.push(SET_FILE);
        unsigned(table, file as u64 + 1);
        table.push(ADVANCE_LINE);
        signed(table, i64::from(line.line) - number);
        table.push(ADVANCE_PC);
        unsigned(table, (line.offset - offset) as u64);
        table.push(COPY);
        (offset, number) = (line.offset, i64::from(line.line));
    }
    table.push(ADVANCE_PC);
    unsigned(table, code.bytes.len().saturating_sub(offset) as u64);
    table.extend(END_SEQUENCE);
}

fn with_length(contents: Vec<u8>) -> Vec<u8> {
    [&(contents.len() as u32).to_ne_bytes()[..], &contents].concat()
}

fn string(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend(plain(text).bytes());
    bytes.push(0);
}

/// LEB128.
fn unsigned(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

/// LEB128 of two's complement.
fn signed(bytes: &mut Vec<u8>, mut value: i64) {
    while !(-0x40..0x40).contains(&value) {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8 & 0x7f);
}
