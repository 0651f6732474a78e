// A Kafka broker for each test, as a process that lives as long as this one, at most.
import { spawn } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { find } from './binary.js'
import { Controlled } from './control.js'
import { StartError } from './errors.js'

export { KlammError, StartError, WaitTimeout } from './errors.js'

/** How long a stop may take before the process is killed; it takes some milliseconds. */
const STOP_MS = 10_000
/** How much of the log an error shows. */
const LAST_LINES = 15

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
  #log
  #directory
  #exited
  #closed

  constructor(program, options) {
    this.#directory = fs.mkdtempSync(path.join(os.tmpdir(), 'klamm-'))
    process.on('exit', this.#forget)
    // A file without a name: no code must run to read it, and it goes with this process however that ends.
    this.#log = fs.openSync(path.join(this.#directory, 'log'), 'wx+')
    fs.unlinkSync(path.join(this.#directory, 'log'))
    // It lives by the pipe of its standard input. As a session of its own it gets no Ctrl-C of the terminal: the test ends it,
    // behind its clients.
    this.#child = spawn(program, ['test', ...words(options, this.#directory)], { stdio: ['pipe', 'pipe', this.#log], detached: true })
    this.#exited = new Promise((resolve) => {
      this.#child.once('error', (error) => resolve(`${program} cannot be run: ${error.message}`))
      this.#child.once('exit', (code, signal) => resolve(`the broker has ended with ${signal ?? `code ${code}`}`))
    })
    // A broker that has ended is no error of a write to it.
    this.#child.stdin.on('error', () => {})
  }

  /** The line of JSON by which it says that it is ready. */
  async ready(limit) {
    let timer
    const late = new Promise((resolve) => {
      timer = setTimeout(resolve, limit, `the broker is not ready after ${limit} ms`)
    })
    const first = this.#firstLine()
    const found = await Promise.race([first, this.#exited, late])
    clearTimeout(timer)
    if (typeof found === 'string') {
      const log = this.log(LAST_LINES)
      await this.close()
      throw new StartError(log ? `${found}; its log ends with:\n${log}` : found)
    }
    // A test that is over does not hang for a broker that was not closed: it ends with this process.
    this.#child.unref()
    this.#child.stdin.unref()
    this.#child.stdout.unref()
    return found
  }

  #firstLine() {
    return new Promise((resolve) => {
      let text = ''
      this.#child.stdout?.setEncoding('utf8').on('data', (part) => {
        text += part
        if (text.includes('\n')) resolve(JSON.parse(text))
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
    this.#forget()
    process.off('exit', this.#forget)
  }

  #forget = () => fs.rmSync(this.#directory, { recursive: true, force: true })
}

/** The command line for the options. */
function words({ topics = [], users = {}, tls, asVersion, overrides = {}, memory, dataDir, port }, directory) {
  const found = []
  for (const topic of topics) found.push('--topic', typeof topic === 'string' ? topic : written(topic))
  for (const [name, password] of Object.entries(users)) found.push('--user', `${name}:${password}`)
  if (tls) found.push('--tls', path.join(directory, 'tls'))
  for (const [option, value] of Object.entries({ '--as-version': asVersion, '--memory': memory, '--dir': dataDir, '--port': port })) {
    if (value !== undefined) found.push(option, String(value))
  }
  for (const [key, value] of Object.entries(overrides)) found.push('--override', `${key}=${value}`)
  return found
}

function written({ name, partitions = 1, config = {} }) {
  return [name, partitions, ...Object.entries(config).map(([key, value]) => `${key}=${value}`)].join(':')
}
