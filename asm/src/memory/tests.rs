use super::*;

/// `mov eax, value; ret`
fn constant(value: u32) -> Vec<u8> {
    let [a, b, c, d] = value.to_le_bytes();
    vec![0xb8, a, b, c, d, 0xc3]
}

fn call(address: usize) -> u32 {
    // SAFETY: the tests call what they wrote there, functions of no arguments.
    unsafe { std::mem::transmute::<usize, extern "C" fn() -> u32>(address)() }
}

#[test]
fn writes_and_runs_functions() {
    let mut memory = CodeMemory::new(1 << 20).unwrap();
    let blocks: Vec<Block> = (0..100).map(|_| memory.reserve(6).unwrap()).collect();
    for (value, block) in blocks.iter().enumerate() {
        memory.write(block.address(), &constant(value as u32));
    }
    for (value, block) in blocks.iter().enumerate() {
        assert_eq!(call(block.address()), value as u32);
        assert_eq!(memory.read(block.address(), 6), constant(value as u32));
    }
    assert_eq!(memory.used(), 100 * GRAIN);
}
