// A program of Linux that says what it was built for, and nothing else; a static one has no loader.

export function elf(machine, loader) {
  const name = loader === undefined ? '' : `${loader}\0`
  const bytes = Buffer.alloc(120 + name.length)
  bytes.write('\x7fELF\x02\x01\x01', 'latin1')
  const segments = name ? 1 : 0
  for (const [at, value] of [[16, 2], [18, machine], [52, 64], [54, 56], [56, segments]]) bytes.writeUInt16LE(value, at)
  for (const [at, value] of [[20, 1], [32, 64]]) bytes.writeUInt32LE(value, at)
  // PT_INTERP, readable, behind both headers.
  for (const [at, value] of [[64, 3], [68, 4], [72, 120], [96, name.length], [104, name.length], [112, 1]]) bytes.writeUInt32LE(value, at)
  bytes.write(name, 120, 'latin1')
  return bytes
}
