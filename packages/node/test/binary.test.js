// Where the program is looked for, in which order. Of the package's own files, as it is no part of what it offers.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { find } from '../src/binary.js'

test('the first of four places', (t) => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'klamm-test-'))
  t.after(() => fs.rmSync(folder, { recursive: true }))
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
