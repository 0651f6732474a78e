// A Kafka broker for each test, as a process that lives as long as this one, at most.
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { find, whyNot } from './binary.js'
import { Controlled } from './control.js'
import { StartError } from './errors.js'

export { KlammError, StartError, WaitTimeout } from './errors.js'

/** How long a stop may take before the process is killed; it takes some milliseconds. */
const STOP_MS = 10_000
/** How much of the log an error shows. */
const LAST_LINES = 15
/** What the line must have by which a broker says that it is ready. */
const PROMISED = ['bootstrap_servers', 'http', 'cluster_id', 'pid', 'security_protocol']

export class Klamm extends Controlled {
  #process

  /** Starts a broker; it is ready when the promise is kept. */
  static async start(options = {}) {
    const process = new Process(find(options.binary), options)
    const ready = await process.ready(options.startTimeoutMs ?? 30_000)
    return new Klamm(process, ready)
  }

  /** Not for callers: Klamm.start() makes one. */
  constructor(process, ready) {
    super(ready.http)
    this.#process = process
    this.bootstrapServers = ready.bootstrap_servers
    this.brokers = ready.bootstrap_servers.split(',')
    this.http = ready.http
    this.clusterId = ready.cluster_id
    this.pid = ready.pid
    this.securityProtocol = ready.security_protocol
    this.saslMechanisms = ready.sasl_mechanisms ?? []
    this.tls = ready.tls && certificates(ready.tls)
  }

  log(lines = LAST_LINES) {
    return this.#process.log(lines)
  }

  close() {
    return this.#process.close()
  }
}

function certificates(paths) {
  return {
    caPem: paths.ca_pem,
    clientPem: paths.client_pem,
    clientKey: paths.client_key,
    clientP12: paths.client_p12,
    clientJks: paths.client_jks,
    truststoreP12: paths.truststore_p12,
    truststoreJks: paths.truststore_jks,
    password: paths.password,
  }
}

class Process {
  #child
  #program
  #log
  #certificates
  #exited
  #closed

  constructor(program, options) {
    this.#program = program
    this.#log = nameless()
    // The broker makes it and takes it away, so that it goes however this process ends, and nothing here must wait for that end.
    this.#certificates = options.tls ? path.join(os.tmpdir(), `klamm-tls-${randomBytes(16).toString('hex')}`) : undefined
    // It lives by the pipe of its standard input. As a session of its own it gets no Ctrl-C of the terminal: the test ends it,
    // behind its clients.
    this.#child = spawn(program, ['test', ...words(options, this.#certificates)], { stdio: ['pipe', 'pipe', this.#log], detached: true })
    this.#exited = new Promise((resolve) => {
      this.#child.once('error', (error) => resolve(`${program} cannot be run: ${error.message}`))
      this.#child.once('exit', (code, signal) => resolve(`the broker has ended with ${signal ?? `code ${code}`}`))
    })
    // A broker that has ended is no error of a write to it.
    this.#child.stdin.on('error', () => {})
  }

  /** What the line of JSON tells by which it says that it is ready. */
  async ready(limit) {
    let timer
    const late = new Promise((resolve) => {
      timer = setTimeout(resolve, limit, { failure: `the broker is not ready after ${limit} ms` })
    })
    const ended = this.#exited.then((how) => ({ failure: `${how} before its first line${whyNot(this.#program)}` }))
    const found = await Promise.race([this.#firstLine().then(told), ended, late])
    clearTimeout(timer)
    if (found.failure) {
      const log = this.log(LAST_LINES)
      await this.close()
      throw new StartError(log ? `${found.failure}; its log ends with:\n${log}` : `${found.failure}; its log is empty`)
    }
    // A test that is over does not hang for a broker that was not closed: it ends with this process.
    this.#child.unref()
    this.#child.stdin.unref()
    this.#child.stdout.unref()
    return found.ready
  }

  #firstLine() {
    return new Promise((resolve) => {
      let text = ''
      this.#child.stdout?.setEncoding('utf8').on('data', (part) => {
        if (text.includes('\n')) return
        text += part
        if (text.includes('\n')) resolve(text.slice(0, text.indexOf('\n')))
      })
    })
  }

  log(lines) {
    if (this.#log === undefined) return ''
    // Its end alone, read at a place: the broker writes where the file's own is.
    const { size } = fs.fstatSync(this.#log)
    const end = Buffer.alloc(Math.min(size, lines * 1024))
    fs.readSync(this.#log, end, 0, end.length, size - end.length)
    return end.toString().trimEnd().split('\n').slice(-lines).join('\n')
  }

  close() {
    this.#closed ??= this.#end()
    return this.#closed
  }

  async #end() {
    this.#child.ref()
    this.#child.stdin?.end()
    this.#child.kill('SIGTERM')
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_MS)
    await this.#exited
    clearTimeout(timer)
    this.#child.stdout?.destroy()
    fs.closeSync(this.#log)
    this.#log = undefined
    // They are there only where the broker was killed.
    if (this.#certificates) fs.rmSync(this.#certificates, { recursive: true, force: true })
  }
}

/** A file without a name: no code must run to read it, and it goes with this process however that ends. */
function nameless() {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'klamm-log-'))
  try {
    return fs.openSync(path.join(directory, 'log'), 'wx+', 0o600)
  } finally {
    fs.rmSync(directory, { recursive: true, force: true })
  }
}

/** What a first line says: that the broker is ready, or why that cannot be told. */
function told(line) {
  let ready
  try {
    ready = JSON.parse(line)
  } catch {
    ready = undefined
  }
  if (ready === null || typeof ready !== 'object' || Array.isArray(ready)) {
    return { failure: `the broker's first line is no object of JSON: '${line.slice(0, 200)}'` }
  }
  const missing = PROMISED.filter((name) => !(name in ready))
  if (String(missing) === 'http') {
    return { failure: 'the broker has no HTTP side, without which nothing here works: a setting has switched it off' }
  }
  if (missing.length > 0) return { failure: `the broker's first line has no ${missing.join(', ')}: '${line.slice(0, 200)}'` }
  return { ready }
}

/** The command line for the options. */
function words({ topics = [], users = {}, tls, asVersion, overrides = {}, memory, dataDir, port, brokers }, certificates) {
  const found = []
  for (const topic of topics) found.push('--topic', typeof topic === 'string' ? topic : written(topic))
  for (const [name, password] of Object.entries(users)) found.push('--user', `${name}:${password}`)
  if (tls) found.push('--tls', certificates)
  const valued = { '--as-version': asVersion, '--memory': memory, '--dir': dataDir, '--port': port, '--brokers': brokers }
  for (const [option, value] of Object.entries(valued)) {
    if (value !== undefined) found.push(option, String(value))
  }
  for (const [key, value] of Object.entries(overrides)) found.push('--override', `${key}=${value}`)
  return found
}

function written({ name, partitions = 1, config = {} }) {
  return [name, partitions, ...Object.entries(config).map(([key, value]) => `${key}=${value}`)].join(':')
}
