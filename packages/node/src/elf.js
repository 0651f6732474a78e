// What a program was built for, by the header of its file: its machine, and the loader of its C library.
import fs from 'node:fs'

/** `e_machine`, by the names of `process.arch`. */
const MACHINES = { 3: 'ia32', 40: 'arm', 62: 'x64', 183: 'arm64', 243: 'riscv64' }
/** `PT_INTERP` */
const INTERPRETER = 3

/** The machine and the loader of a program of Linux; a static one has no loader, and what is no such program neither. */
export function builtFor(file) {
  let opened
  try {
    opened = fs.openSync(file, 'r')
    const head = read(opened, 0, 64)
    if (head.toString('latin1', 0, 6) !== '\x7fELF\x02\x01') return {}
    const machine = head.readUInt16LE(18)
    const arch = MACHINES[machine] ?? `the machine ${machine} of ELF`
    const [segments, size, count] = [Number(head.readBigUInt64LE(32)), head.readUInt16LE(54), head.readUInt16LE(56)]
    for (let number = 0; number < count; number++) {
      const segment = read(opened, segments + number * size, 40)
      if (segment.readUInt32LE(0) !== INTERPRETER) continue
      const length = Math.min(Number(segment.readBigUInt64LE(32)), 4096)
      return { arch, loader: read(opened, Number(segment.readBigUInt64LE(8)), length).toString().replace(/\0.*$/s, '') }
    }
    return { arch }
  } catch {
    return {}
  } finally {
    if (opened !== undefined) fs.closeSync(opened)
  }
}

function read(opened, place, length) {
  const found = Buffer.alloc(length)
  if (fs.readSync(opened, found, 0, length, place) < length) throw new Error('the file is cut')
  return found
}
