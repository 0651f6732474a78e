// Where the program is looked for, in which order, and for which platform it is packed. Of the package's own files, as these are no
// part of what it offers.
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { find } from '../src/binary.js'
import { builtFor } from '../src/elf.js'
import { elf } from './elf.js'

function scratch(t) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'klamm-test-'))
  t.after(() => fs.rmSync(folder, { recursive: true }))
  return folder
}

test('the first of four places', (t) => {
  const folder = scratch(t)
  const [own, other] = ['own', 'path'].map((name) => {
    fs.mkdirSync(path.join(folder, name))
    const file = path.join(folder, name, 'klamm')
    fs.writeFileSync(file, '#!/bin/sh\n', { mode: 0o755 })
    return file
  })
  const PATH = `${path.join(folder, 'none')}:${path.dirname(other)}`
  assert.equal(find(undefined, { PATH }, () => own), own)
  assert.equal(find(undefined, { PATH }, () => undefined), other)
  assert.equal(find(undefined, { PATH, KLAMM_BIN: other }, () => own), other)
  assert.equal(find(own, { PATH, KLAMM_BIN: other }, () => undefined), own)
  assert.throws(() => find(undefined, { PATH, KLAMM_BIN: folder }, () => own), /KLAMM_BIN names/)
  assert.throws(() => find(undefined, {}, () => undefined), /the program klamm is not found: install @klamm\//)
})

test('what a program was built for', (t) => {
  const file = path.join(scratch(t), 'program')
  const read = (bytes) => {
    fs.writeFileSync(file, bytes)
    return builtFor(file)
  }
  assert.deepEqual(read(elf(62, '/lib64/ld-linux-x86-64.so.2')), { arch: 'x64', loader: '/lib64/ld-linux-x86-64.so.2' })
  assert.deepEqual(read(elf(183)), { arch: 'arm64' })
  assert.deepEqual(read(elf(999)), { arch: 'the machine 999 of ELF' })
  for (const none of ['', '#!/bin/sh\n', '\x7fELF', elf(62, 'x').subarray(0, 100)]) assert.deepEqual(read(none), {})
  assert.equal(builtFor(process.execPath).arch, process.arch)
  assert.deepEqual(builtFor('/none'), {})
})

test('the package of a platform says for which it is', (t) => {
  const folder = scratch(t)
  const script = fileURLToPath(new URL('../scripts/pack.mjs', import.meta.url))
  const pack = (bytes) => {
    fs.writeFileSync(path.join(folder, 'program'), bytes)
    return spawnSync(process.execPath, [script, path.join(folder, 'program'), path.join(folder, 'dist')], { encoding: 'utf8' })
  }
  for (const [bytes, arch, libc] of [[elf(183, '/lib/ld-linux-aarch64.so.1'), 'arm64', ['glibc']], [elf(62), 'x64', undefined]]) {
    const run = pack(bytes)
    assert.equal(run.status, 0, run.stderr)
    const described = JSON.parse(execFileSync('tar', ['-xzOf', run.stdout.split('\n')[0], 'package/package.json']))
    assert.deepEqual([described.name, described.os, described.cpu, described.libc], [`@klamm/linux-${arch}`, ['linux'], [arch], libc])
  }
  assert.match(pack('#!/bin/sh\n').stderr, /is no program of Linux/)
  assert.match(pack(elf(243)).stderr, /was built for riscv64: package.json names no @klamm\/linux-riscv64/)
  assert.match(pack(elf(62, '/lib/ld-musl-x86_64.so.1')).stderr, /needs musl's loader \/lib\/ld-musl-x86_64.so.1/)
})
