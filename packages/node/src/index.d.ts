/** A topic that is there from the beginning. */
export interface Topic {
  name: string
  /** 1 where it is left out. */
  partitions?: number
  config?: Record<string, string | number | boolean>
}

export interface Options {
  /** Topics from the beginning, each as an object or as in `'orders:3:retention.ms=60000'`. */
  topics?: readonly (string | Topic)[]
  /** Names and passwords; clients then log in by PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512. */
  users?: Record<string, string>
  /** Clients come by TLS; `klamm.tls` has the certificates. */
  tls?: boolean
  /** Offer what that release of Apache Kafka does, `'2.8'` to `'4.4'`. */
  asVersion?: string
  /** Any of Kafka's settings of a broker. */
  overrides?: Record<string, string | number | boolean>
  /** The most that data take in memory, as in `'64M'`. */
  memory?: string | number
  /** Data on the disk instead; a directory that was not there is removed at the end. */
  dataDir?: string
  /** The port; a free one without it. */
  port?: number
  /** How many brokers the process plays, with ids from 1, each on a port and in a rack of its own: 1 where it is left out. */
  brokers?: number
  /** The program, where it is not the one of this package. */
  binary?: string
  /** The time in which it must be ready: 30 s where it is left out. */
  startTimeoutMs?: number
}

/** Paths of throw-away certificates, and the password of the PKCS12 and JKS stores and of no other file. */
export interface Tls {
  caPem: string
  clientPem: string
  clientKey: string
  clientP12: string
  clientJks: string
  truststoreP12: string
  truststoreJks: string
  password: string
}

/** Which requests a rule is for. All that are given must be so. */
export interface Match {
  /** Name or key, or several of them. */
  api?: string | number | readonly (string | number)[]
  /** A version, or a range such as `'3-9'`. */
  versions?: number | string
  /** The broker that is asked, by its id. */
  broker?: number
  /** An expression that the whole id matches. */
  clientId?: string
  /** As ACLs write it, `'User:alice'`. */
  principal?: string
  topic?: string
  partition?: number
  group?: string
  transactionalId?: string
  /** What fields of the body hold, by the protocol's names: `{ memberEpoch: 0 }`. */
  fields?: Record<string, unknown>
  /** The nth request that matches, alone. */
  nth?: number
  /** Every nth request that matches. */
  every?: number
  /** From 0 to 1, drawn from the seed. */
  probability?: number
  seed?: number
}

/** What happens to them: one of these, and `after` where the request shall have its effect first. */
export interface Action {
  error?: string | number
  /** Alone, or beside one of the others, which happens when the time is over. */
  delayMs?: number
  hold?: boolean
  close?: boolean
  noAnswer?: boolean
  throttleMs?: number
  truncate?: number
  corrupt?: boolean
  /** Answered by what the cluster looked like when the rule was added. */
  stale?: boolean
  /** Versions that are offered instead of the broker's own; null is none. */
  offer?: Record<string, readonly [number, number] | null>
  /** The member that the request names leaves its group first, as if its session had ended. */
  expireMember?: boolean
  after?: boolean
}

/** Which requests are meant. All that are given must be so. */
export interface Filter {
  /** Name or key. */
  api?: string | number
  clientId?: string
  topic?: string
  group?: string
  principal?: string
  /** An error code in the answer, by name or number. */
  error?: string | number
  /** Requests that came then or later. */
  since?: Date | number
  /** The broker that was asked, by its id. */
  broker?: number
  /** One request, by its id. */
  id?: string
}

/** A request that the broker was sent, with its answer. */
export interface Request {
  id: string
  at: Date
  api: string
  version: number
  clientId: string | null
  /** Name and version of the client's library, where it tells them. */
  software: string
  principal: string
  connection: number
  /** How often each error code stands in the answer; without NONE. */
  errors: Record<string, number>
  request: any
  answer: any
  /** All that the broker tells of it. */
  raw: Record<string, any>
}

/** A rule as the broker shows it. */
export interface Rule {
  id: number
  /** How many requests it was for. */
  matched: number
  /** How many requests it has struck. */
  struck: number
  /** Whether it strikes no more. */
  over: boolean
  [word: string]: unknown
}

/** A text, or what bytes and JSON are shown as. */
export type Content = string | null | { base64: string } | { json: unknown } | { bytes: number; begin: string | { base64: string } }

/** A record in a log. */
export interface StoredRecord {
  offset: number
  timestamp: Date
  /** Of key, value and headers. */
  bytes: number
  key: Content
  value: Content
  headers: [string, Content][]
  transaction?: 'open' | 'committed' | 'aborted'
  /** A marker of a transaction, which has neither key, value nor headers. */
  control?: string
}

/** A line of a fixture: with a key or a value it is a record, else a topic. */
export interface FixtureLine {
  topic: string
  partitions?: number
  configs?: Record<string, string>
  partition?: number
  key?: string | null | { base64: string } | { json: unknown }
  value?: string | null | { base64: string } | { json: unknown }
  headers?: readonly (readonly [string, string | null | { base64: string } | { json: unknown }])[]
  /** Milliseconds since 1970. */
  timestamp?: number
}

/** A broker that the process plays. */
export interface BrokerState {
  broker: number
  rack: string | null
  up: boolean
  /** It stands in no list that clients are told. */
  hidden: boolean
  /** How many partitions it leads. */
  leads: number
  listeners: { listener: string; host: string; port: number }[]
}

export interface PartitionState {
  partition: number
  leader: number
  leaderEpoch: number
  replicas: number[]
  isr: number[]
  /** From here on: where this broker has the partition. */
  start?: number
  end?: number
  lastStable?: number
  bytes?: number
  segments?: number
}

/** A topic with the configs that are set on it. */
export interface TopicState {
  topic: string
  id: string
  internal: boolean
  records: number
  bytes: number
  configs: Record<string, string>
  partitions: PartitionState[]
}

/** A group, how far it is behind, and why its consumers do not read. */
export interface GroupState {
  group: string
  type: string
  state: string
  protocol: string
  members: { memberId: string; instanceId: string | null; clientId: string; host: string; subscribed: string[]; [name: string]: unknown }[]
  partitions: { topic: string; partition: number; memberId: string | null; committed: number | null; lag: number | null; [name: string]: unknown }[]
  moreMembers: number
  morePartitions: number
  /** null where nothing is committed. */
  lag: number | null
  why: string[]
}

/** A snapshot, and what it takes in memory. */
export interface Snapshot {
  name: string
  bytes: number
}

export interface Wait {
  group?: string
  /** The group has so many members and is stable. */
  members?: number
  /** The group has committed offsets, and is so many records behind at most. */
  lag?: number
  topic?: string
  /** The topic has so many records at least. */
  records?: number
  /** A client, or the one with `clientId`, has asked for the topic's `partition` (0) from this offset on. */
  fetched?: number
  partition?: number
  clientId?: string
  /** A transactional id whose last transaction has ended; it does not hold before one began. */
  transactionalId?: string
  /** 10 s where it is left out. */
  timeoutMs?: number
}

/** The broker has refused a call, in its own words. */
export class KlammError extends Error {}
/** There is no broker: its program is not found, or has ended before it was ready. */
export class StartError extends KlammError {}
/** What was waited for has not come; the sentence says what was missing. */
export class WaitTimeout extends KlammError {}

/** The clock that the broker goes by: sessions, rebalances, transactions, retention follow it. */
export interface Clock {
  now(): Promise<Date>
  frozen(): Promise<boolean>
  /** Lets it stand still until `resume`; `advance` and `set` move it all the same. */
  freeze(): Promise<Date>
  resume(): Promise<Date>
  /** Moves it ahead. All that became due has been done when the promise is kept. */
  advance(milliseconds: number): Promise<Date>
  /** Sets it: ahead is a move as by `advance`; back is the wall clock alone. */
  set(moment: Date | number): Promise<Date>
}

/** A rule by which the broker breaks. */
export interface Fault {
  readonly id: number
  /** How many requests it was for. A rule that matches nothing is a mistake in the rule, mostly. */
  matched(): Promise<number>
  /** How many requests it has struck: those of the matched that nth, every, probability and count leave. */
  struck(): Promise<number>
  /** Whether it strikes no more: its count is reached, or its time is over. */
  over(): Promise<boolean>
  /** Lets go on what it holds; what comes behind is held again. */
  release(): Promise<void>
  /** Takes it away; what it holds goes on. Once more does nothing. */
  remove(): Promise<void>
}

/** A broker, or several, of its own port, data and clock, in memory. */
export class Klamm {
  private constructor()
  /** Starts a broker; it is ready when the promise is kept. */
  static start(options?: Options): Promise<Klamm>

  /** What clients take as `bootstrap.servers`: an address of each broker, with commas between them. */
  readonly bootstrapServers: string
  /** The same as kafkajs takes it. */
  readonly brokers: string[]
  /** The address of the HTTP side. */
  readonly http: string
  readonly clusterId: string
  readonly pid: number
  /** What clients take as `security.protocol`. */
  readonly securityProtocol: 'PLAINTEXT' | 'SSL' | 'SASL_PLAINTEXT' | 'SASL_SSL'
  /** Empty without users. */
  readonly saslMechanisms: string[]
  /** Where the broker has TLS. */
  readonly tls?: Tls
  readonly clock: Clock

  /** Adds a rule behind those that are there: the first one that is for a request strikes it. */
  fault(match: Match, action: Action, count?: number, options?: { expiresMs?: number }): Promise<Fault>
  /** Takes away all rules, and tells how many there were. */
  removeFaults(): Promise<number>
  /** The rules in their order. */
  faults(): Promise<Rule[]>
  /** The last requests that match, in their order: 100 unless `limit` says otherwise. */
  requests(filter?: Filter & { limit?: number; records?: boolean }): Promise<Request[]>
  /** Fails with the broker's sentence, and some of the requests, where more or fewer match. */
  assertRequests(expected: Filter & ({ atLeast: number; atMost?: number } | { atLeast?: number; atMost: number })): Promise<void>
  /** Waits until all of it is there; a WaitTimeout says what was missing. */
  waitFor(what: Wait): Promise<void>
  /**
   * Puts it back to its beginning, or to a snapshot: the topics and users of its options, and nothing else. Records, groups, faults
   * and kept requests are gone, the clock is the machine's. Make clients and faults anew.
   */
  reset(to?: { snapshot?: string }): Promise<void>
  /** Keeps all that is there now, for `reset`; one of that name is replaced. Clients lose their connections. */
  snapshot(name: string): Promise<void>
  /** The snapshots that there are. */
  snapshots(): Promise<Snapshot[]>
  /** Forgets a snapshot; its memory is free again. */
  forgetSnapshot(name: string): Promise<void>
  /**
   * Makes topics and writes records: JSON lines as a text, or the objects themselves. A line that is wrong is refused with its number,
   * and nothing is written. Tells how many topics were made and how many records were written.
   */
  loadFixtures(lines: string | Uint8Array | Iterable<FixtureLine>): Promise<{ topics: number; records: number }>
  /** Topics and their committed records as JSON lines, for `loadFixtures`: one topic, or all but internal ones. */
  dumpFixtures(topic?: string): Promise<string>
  /** Expires a member of a group by its id, or all of them: they hear of it as when their sessions had ended. */
  expireMembers(group: string, member?: string): Promise<void>
  /** Lets all members of a group join again. */
  forceRebalance(group: string): Promise<void>
  /** Fences the producer of a transactional id by a successor; what it had open is aborted. */
  fenceProducer(transactionalId: string): Promise<void>
  /** Compacts a topic now, its active segment as well, or all topics that are compacted; done when it resolves. */
  compact(topic?: string): Promise<void>
  /** Deletes now what a topic, or all, keep no longer. */
  applyRetention(topic?: string): Promise<void>
  /** Lets another broker lead a partition, by its id; a new leader epoch begins. */
  moveLeader(topic: string, partition: number, to: number): Promise<void>
  /** Lets another broker coordinate a group or a transactional id, and all that share its partition. */
  moveCoordinator(of: { group: string } | { transactionalId: string }, to: number): Promise<void>
  /** Takes a broker down by its id: its connections are closed, and others lead what it has led. */
  takeBrokerDown(broker: number): Promise<void>
  /** Brings it back. It leads what has no leader; other leaders stay where they are. */
  bringBrokerUp(broker: number): Promise<void>
  /**
   * Lets the leader of a partition send consumers to a broker, which serves them; null: as before. `start` and `end` say what it has
   * of the log.
   */
  setFollower(topic: string, partition: number, broker: number | null, has?: { start?: number; end?: number }): Promise<void>
  /** Puts a broker into a rack, or into none. */
  setRack(broker: number, rack: string | null): Promise<void>
  /** Takes a broker out of the lists that clients are told, or puts it back; its connections stay. */
  hideBroker(broker: number, hidden?: boolean): Promise<void>
  /** Tells clients this leader of a partition and its epoch, whether there are such or not; without them what is so. */
  tellLeader(topic: string, partition: number, told?: { leader: number; epoch: number }): Promise<void>
  /** Tells clients another host and port of a broker; without them its own. */
  setAddress(broker: number, address?: { host: string; port: number }): Promise<void>
  /**
   * Troubles the disk until a reset; what is not said stays as it is. `full`: no log of records grows. `syncMs`: so long each sync
   * takes. `syncsFail`: the next sync finds that the device has failed, and the broker ends as Kafka does.
   */
  setDisk(trouble: { full?: boolean; syncMs?: number; syncsFail?: boolean }): Promise<void>
  /** Breaks the stored batch that has this offset: its checksum is wrong. Answers the batch's first offset. */
  corruptBatch(topic: string, partition: number, offset: number): Promise<number>
  /** The brokers that this process plays, in the order of their ids. */
  brokerStates(): Promise<BrokerState[]>
  /** Topics with their configs and partitions: one, or all. */
  topics(topic?: string): Promise<TopicState[]>
  /**
   * The last records of a partition in the order of their offsets, 1000 at most; those below the offset `before`. With `json` what is
   * an object or an array of JSON is `{ json }`.
   */
  records(topic: string, partition?: number, options?: { limit?: number; before?: number; json?: boolean }): Promise<StoredRecord[]>
  /** Groups with members, committed offsets, lag, and why their consumers do not read: one, or all. */
  groups(group?: string): Promise<GroupState[]>
  /** What the broker counts, in Prometheus's text format. */
  metrics(): Promise<string>
  /** The last lines of the broker's log. */
  log(lines?: number): string
  /** Stops it; what it had in memory is gone. Once more does nothing. */
  close(): Promise<void>
}
