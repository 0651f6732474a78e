// The broker as a process: where its program is, how it starts, that it ends.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { Klamm, StartError } from 'klamm'

function scratch(t) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'klamm-test-'))
  t.after(() => fs.rmSync(folder, { recursive: true }))
  return folder
}

function program(folder, text, mode = 0o755) {
  const file = path.join(folder, 'klamm')
  fs.writeFileSync(file, text, { mode })
  return file
}

/** Whether something listens there. */
function listens(address) {
  const [host, port] = address.split(':')
  return new Promise((resolve) => {
    const socket = net.connect(Number(port), host)
    socket.on('connect', () => resolve(true)).on('error', () => resolve(false))
    socket.on('connect', () => socket.destroy())
  })
}

test('it ends with close', async () => {
  const klamm = await Klamm.start({ tls: true })
  assert.ok(fs.existsSync(klamm.tls.caPem))
  assert.match(klamm.log(), /listener=SSL/)
  await Promise.all([klamm.close(), klamm.close()])
  assert.equal(await listens(klamm.bootstrapServers), false)
  assert.equal(fs.existsSync(klamm.tls.caPem), false)
  assert.equal(klamm.log(), '')
})

test('a process that does not close it ends all the same, and the broker with it', async () => {
  const text = "import { Klamm } from 'klamm'; const k = await Klamm.start({ tls: true }); console.log(k.bootstrapServers + ' ' + k.tls.caPem)"
  // Its end is the end of what it has printed, too: the broker has not that pipe.
  const [address, certificate] = execFileSync(process.execPath, ['--input-type=module', '-e', text], { cwd: import.meta.dirname, encoding: 'utf8' })
    .trim()
    .split(' ')
  // The broker closes its port in its own time; each look is a connection, not a pause.
  while (await listens(address));
  assert.equal(fs.existsSync(certificate), false)
})

test('a start that fails shows why', async () => {
  await assert.rejects(Klamm.start({ overrides: { 'log.retention.ms': 'long' } }), {
    name: 'StartError',
    message: /ended with code 1; its log ends with:\n.*Not a number of type LONG$/,
  })
})

test('a start that takes too long', async (t) => {
  const slow = program(scratch(t), '#!/bin/sh\necho it thinks >&2\nexec cat\n')
  await assert.rejects(Klamm.start({ binary: slow, startTimeoutMs: 500 }), /not ready after 500 ms; its log ends with:\nit thinks/)
})

test('a program that cannot run', async (t) => {
  const folder = scratch(t)
  await assert.rejects(Klamm.start({ binary: path.join(folder, 'none') }), /the option binary names/)
  await assert.rejects(Klamm.start({ binary: folder }), StartError)
  await assert.rejects(Klamm.start({ binary: program(folder, '#!/no/such/shell\n') }), (error) => error instanceof StartError && /cannot be run/.test(error.message))
})

test('data on the disk', async (t) => {
  const dataDir = path.join(scratch(t), 'data')
  const klamm = await Klamm.start({ dataDir, memory: '32M', port: 0 })
  assert.ok(fs.existsSync(dataDir))
  await klamm.close()
  assert.equal(fs.existsSync(dataDir), false)
})
