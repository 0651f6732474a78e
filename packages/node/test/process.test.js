// The broker as a process: where its program is, how it starts, that it ends.
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Klamm, StartError } from 'klamm'
import { elf } from './elf.js'

/** How long anything here may take on a busy machine. */
const DEADLINE_MS = 60_000
const here = fileURLToPath(new URL('.', import.meta.url))

/** Looks again and again, until it is so or the time is over. */
async function until(sentence, isSo) {
  for (const late = Date.now() + DEADLINE_MS; !(await isSo()); ) {
    assert.ok(Date.now() < late, `${sentence}: not within ${DEADLINE_MS} ms`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

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

test('it ends with close', async () => {
  const klamm = await Klamm.start({ tls: true })
  assert.ok(fs.existsSync(klamm.tls.caPem))
  assert.match(klamm.log(), /listener=SSL/)
  await Promise.all([klamm.close(), klamm.close()])
  // Its port may be another broker's by now.
  assert.throws(() => process.kill(klamm.pid, 0), { code: 'ESRCH' })
  assert.equal(fs.existsSync(klamm.tls.caPem), false)
  assert.equal(klamm.log(), '')
})

const CARELESS = "import { Klamm } from 'klamm'; const k = await Klamm.start({ tls: true }); console.log(k.tls.caPem);"

test('a process that does not close it ends all the same, and the broker with it', async () => {
  // Its end is the end of what it has printed, too: the broker has not that pipe.
  const run = execFileSync(process.execPath, ['--input-type=module', '-e', CARELESS], { cwd: here, encoding: 'utf8', timeout: DEADLINE_MS })
  // The last that it does.
  await until(`${path.dirname(run)} is gone`, () => !fs.existsSync(path.dirname(run)))
})

test('nothing is left of it when its process is killed', async (t) => {
  const TMPDIR = scratch(t)
  const text = `${CARELESS} setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', text], { cwd: here, env: { ...process.env, TMPDIR }, stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = await once(child.stdout, 'data', { signal: AbortSignal.timeout(DEADLINE_MS) })
  assert.ok(line.toString().includes(TMPDIR), line.toString())
  child.kill('SIGKILL')
  await until(`${TMPDIR} is empty`, () => fs.readdirSync(TMPDIR).length === 0)
})

test('many brokers leave no listener at the process', async () => {
  const warnings = []
  const warned = (warning) => warnings.push(warning)
  process.on('warning', warned)
  const names = () => process.eventNames().map((name) => `${String(name)}: ${process.listenerCount(name)}`)
  const before = names()
  const brokers = await Promise.all(Array.from({ length: 12 }, () => Klamm.start({ tls: true })))
  assert.deepEqual(names(), before)
  await Promise.all(brokers.map((klamm) => klamm.close()))
  // Warnings come a turn later.
  await new Promise(setImmediate)
  process.off('warning', warned)
  assert.deepEqual(warnings, [])
})

test('a start that fails shows why', async () => {
  await assert.rejects(Klamm.start({ overrides: { 'log.retention.ms': 'long' } }), {
    name: 'StartError',
    message: /ended with code 1 before its first line; its log ends with:\n.*Not a number of type LONG$/,
  })
})

test('a start that takes too long', async (t) => {
  // It never gets ready.
  const slow = program(scratch(t), '#!/bin/sh\nexec cat\n')
  await assert.rejects(Klamm.start({ binary: slow, startTimeoutMs: 200 }), { name: 'StartError', message: /^the broker is not ready after 200 ms; its log / })
})

for (const [text, sentence] of [
  ['echo it is well; exec cat', "the broker's first line is no object of JSON: 'it is well'"],
  ['echo 7; exec cat', "the broker's first line is no object of JSON: '7'"],
  ['exit 3', 'the broker has ended with code 3 before its first line'],
  ['kill -9 $$', 'the broker has ended with SIGKILL before its first line'],
  [
    `echo '{"bootstrap_servers":"a:1","cluster_id":"c","pid":1,"security_protocol":"PLAINTEXT"}'; exec cat`,
    'the broker has no HTTP side, without which nothing here works: a setting has switched it off',
  ],
  [`echo '{"pid":1}'; exec cat`, `the broker's first line has no bootstrap_servers, http, cluster_id, security_protocol: '{"pid":1}'`],
]) {
  test(`a first line that is none: ${text}`, async (t) => {
    const binary = program(scratch(t), `#!/bin/sh\necho it thinks >&2\n${text}\n`)
    const message = `${sentence}; its log ends with:\nit thinks`
    await assert.rejects(Klamm.start({ binary, startTimeoutMs: DEADLINE_MS }), { name: 'StartError', message })
  })
}

test('a program that says nothing', async (t) => {
  await assert.rejects(Klamm.start({ binary: program(scratch(t), '#!/bin/sh\n') }), /ended with code 0 before its first line; its log is empty$/)
})

test('a broker without its HTTP side', async () => {
  await assert.rejects(Klamm.start({ overrides: { 'klamm.http.listeners': '' } }), /the broker has no HTTP side/)
})

test('a program that cannot run', async (t) => {
  const folder = scratch(t)
  await assert.rejects(Klamm.start({ binary: path.join(folder, 'none') }), /the option binary names/)
  await assert.rejects(Klamm.start({ binary: folder }), StartError)
  await assert.rejects(Klamm.start({ binary: program(folder, '#!/no/such/shell\n') }), (error) => error instanceof StartError && /cannot be run/.test(error.message))
})

test('a program of another platform', async (t) => {
  const folder = scratch(t)
  const [mine, other] = { x64: [62, 183], arm64: [183, 62] }[process.arch]
  await assert.rejects(Klamm.start({ binary: program(folder, elf(other, '/lib/ld-none.so.1')) }), (error) => error.message.includes(`, and this machine is ${process.arch}; its log`))
  await assert.rejects(Klamm.start({ binary: program(folder, elf(mine, '/lib/ld-none.so.1')) }), /another C library .*: its loader \/lib\/ld-none.so.1 is not here; its log/)
})

test('data on the disk', async (t) => {
  const dataDir = path.join(scratch(t), 'data')
  const klamm = await Klamm.start({ dataDir, memory: '32M', port: 0 })
  assert.ok(fs.existsSync(dataDir))
  await klamm.close()
  assert.equal(fs.existsSync(dataDir), false)
})
