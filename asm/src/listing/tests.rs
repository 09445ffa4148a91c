use std::collections::BTreeMap;

use super::*;

fn listing<'a>(architecture: Architecture, code: &'a [u8], names: &'a BTreeMap<u64, String>) -> Listing<'a> {
    Listing { architecture, code, address: 0x7000_0000_1000, data: &[], notes: &[], names }
}

fn note(offset: usize, text: &str) -> Note {
    Note { offset, text: text.into() }
}

#[test]
fn labels_names_notes_and_data() {
    #[rustfmt::skip]
    let code = [
        0x48, 0x01, 0xd0,                               // 00 add rax, rdx
        0x48, 0x39, 0xf0,                               // 03 cmp rax, rsi
        0x7c, 0xf8,                                     // 06 jl 00
        0xf2, 0x0f, 0x58, 0x05, 0x18, 0x00, 0x00, 0x00, // 08 addsd xmm0, [28]
        0x48, 0xb8, 0x00, 0x10, 0xad, 0xde, 0, 0, 0, 0, // 10 mov rax, 0xdead1000
        0xff, 0xd0,                                     // 1a call rax
        0xe9, 0xdf, 0x0f, 0x00, 0x00,                   // 1c jmp 2000
        0xeb, 0x00,                                     // 21 jmp 23
        0x06,                                           // 23 (bad)
        0xcc, 0xcc, 0xcc, 0xcc,                         // 24
        0, 0, 0, 0, 0, 0, 0xf0, 0x3f,                   // 28 1.0
        1, 2,                                           // 30
        0xc3,                                           // 32 ret
    ];
    let address = 0x7000_0000_1000u64;
    let names: BTreeMap<u64, String> =
        [(address + 0x23, "exit7".into()), (0xdead_1000, "print".into()), (address + 0x1000, "trace2".into())].into();
    let notes =
        [note(0, "line 3: for i in 0..n"), note(0, "v8 = add v3, v4"), note(4, "v9 = lt_s v8, v2"), note(99, "end")];
    let data = 0x28..0x32;
    let listing =
        Listing { data: std::slice::from_ref(&data), notes: &notes, ..listing(Architecture::X86_64, &code, &names) };
    assert_eq!(
        listing.text(),
        "  ; line 3: for i in 0..n
  ; v8 = add v3, v4
L0:
  0000  add     rax, rdx
  0003  cmp     rax, rsi
  ; v9 = lt_s v8, v2
  0006  jl      L0
  0008  addsd   xmm0, [L1]
  0010  mov     rax, print
  001a  call    rax
  001c  jmp     trace2
  0021  jmp     exit7
exit7:
  0023  (bad)
  0025  int3
  0026  int3
  0027  int3
L1:
  0028  .quad   0x3ff0000000000000
  0030  .byte   0x01, 0x02
  0032  ret
  ; end
"
    );
}

#[test]
fn numbers_are_spelled_plainly() {
    #[rustfmt::skip]
    let code = [
        0x48, 0x8b, 0x44, 0xcf, 0xf0,                   // mov rax, [rdi + rcx*8 - 16]
        0x83, 0xc0, 0xff,                               // add eax, -1
        0x48, 0xb9, 0, 0, 0, 0, 0, 0, 0, 0x80,          // mov rcx, 0x8000000000000000
        0x48, 0x8b, 0x05, 0x00, 0x10, 0x00, 0x00,       // mov rax, [rip + 0x1000]
        0xe9, 0x00, 0x00, 0x10, 0x00,                   // jmp far off
        0x0f, 0x1f, 0x40, 0x00,                         // nop
    ];
    let text = listing(Architecture::X86_64, &code, &BTreeMap::new()).text();
    assert_eq!(
        text,
        "  0000  mov     rax, [rdi + rcx*8 - 0x10]
  0005  add     eax, -1
  0008  mov     rcx, 0x8000000000000000
  0012  mov     rax, [0x700000002019]
  0019  jmp     0x70000010101e
  001e  nop     [rax]
"
    );
}

/// Whatever the bytes, no line is missing: an instruction is at most 15 bytes long.
#[test]
fn any_bytes_are_listed() {
    let names = BTreeMap::new();
    let mut state = 1u32;
    let code: Vec<u8> = (0..10_000)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .collect();
    let listing = listing(Architecture::X86_64, &code, &names);
    let mut offsets = Vec::new();
    listing.each_piece(&|_| None, |offset, _| offsets.push(offset));
    assert_eq!(offsets[0], 0);
    for pair in offsets.windows(2) {
        assert!(pair[0] < pair[1] && pair[1] - pair[0] <= 15, "{pair:?}");
    }
    assert!(code.len() - offsets.last().unwrap() <= 15);
    assert_eq!(Listing { code: &[], ..listing }.text(), "");
}

#[cfg(feature = "aarch64-listing")]
#[test]
fn aarch64() {
    let words: [u32; 9] = [
        0x8b02_0000, // add x0, x0, x2
        0xeb01_001f, // cmp x0, x1
        0x54ff_ffcb, // b.lt #0
        0x5800_0083, // ldr x3, #0x1c
        0x1400_03fc, // b #0x1000
        0xd65f_03c0, // ret
        0x0000_0000, // udf
        0x3ff0_0000,
        0,
    ];
    let code: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let names: BTreeMap<u64, String> = [(0x7000_0000_2000, "exit3".into())].into();
    let notes = [note(8, "v9 = lt_s v8, v2")];
    let data = 28..36;
    let listing =
        Listing { data: std::slice::from_ref(&data), notes: &notes, ..listing(Architecture::Aarch64, &code, &names) };
    assert_eq!(
        listing.text(),
        "L0:
  0000  add     x0, x0, x2
  0004  cmp     x0, x1
  ; v9 = lt_s v8, v2
  0008  b.lt    L0
  000c  ldr     x3, L1
  0010  b       exit3
  0014  ret
  0018  udf     #0
L1:
  001c  .quad   0x000000003ff00000
"
    );
}
