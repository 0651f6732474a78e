// Compiled, never run: what README.md shows, and calls that must be refused.
import { Klamm, WaitTimeout, type BrokerState, type Fault, type Request, type Topic } from 'klamm'

export async function right(): Promise<void> {
  const topic: Topic = { name: 'orders', partitions: 3, config: { 'retention.ms': 60_000 } }
  const klamm = await Klamm.start({ topics: [topic, 'bills:1'], brokers: 3, users: { alice: 'secret' }, tls: true, asVersion: '3.9' })
  const brokers: string[] = klamm.brokers
  const authority: string | undefined = klamm.tls?.caPem
  const fault: Fault = await klamm.fault({ api: ['Produce', 1], clientId: 'shop.*' }, { close: true, after: true }, 1)
  await klamm.fault({ api: 'OffsetCommit', fields: { groupId: 'readers' } }, { expireMember: true })
  const struck: number = await fault.struck()
  await klamm.clock.set(await klamm.clock.advance(1000))
  const found: Request[] = await klamm.requests({ group: 'readers', limit: 5 })
  await klamm.assertRequests({ api: 'Produce', atMost: 3 })
  await klamm.waitFor({ group: 'readers', lag: 0 }).catch((error: unknown) => error instanceof WaitTimeout)
  const lag: number | null = (await klamm.groups('readers'))[0].lag
  const ends: (number | undefined)[] = (await klamm.topics())[0].partitions.map(({ end }) => end)
  const made: number = (await klamm.loadFixtures([{ topic: 'orders', key: 'k', value: { json: { amount: 5 } } }])).records
  const lines: string = await klamm.dumpFixtures('orders')
  const when: Date[] = (await klamm.records('orders', 0, { json: true })).map(({ timestamp }) => timestamp)
  await klamm.expireMembers('readers')
  await klamm.fenceProducer('payments')
  await klamm.moveLeader('orders', 0, 2)
  await klamm.moveCoordinator({ transactionalId: 'payments' }, 2)
  await klamm.setDisk({ full: true, syncMs: 500 })
  const base: number = await klamm.corruptBatch('orders', 0, 5)
  const [{ rack, listeners }]: BrokerState[] = await klamm.brokerStates()
  await klamm.fault({ api: 'Metadata', broker: 2 }, { stale: true })
  console.log(base, rack, listeners[0].port)
  console.log(lag, ends, made, lines, when, await klamm.metrics(), (await klamm.faults())[0].struck, (await klamm.snapshots())[0].bytes)
  await klamm.snapshot('seeded')
  await klamm.reset({ snapshot: 'seeded' })
  await klamm.reset()
  await klamm.close()
  console.log(brokers, authority, struck, found)
}

export async function wrong(klamm: Klamm): Promise<void> {
  // @ts-expect-error there is no such option
  await Klamm.start({ topic: 'orders' })
  // @ts-expect-error the constructor is not for callers
  new Klamm()
  // @ts-expect-error a word that rules do not have
  await klamm.fault({ api: 'Produce', topics: 'orders' }, { close: true })
  // @ts-expect-error a snapshot is named in an object
  await klamm.reset('seeded')
  // @ts-expect-error a line of a fixture names its topic
  await klamm.loadFixtures([{ key: 'k', value: 'a' }])
  // @ts-expect-error a coordinator is that of a group or of a transactional id
  await klamm.moveCoordinator({}, 2)
  // @ts-expect-error neither atMost nor atLeast
  await klamm.assertRequests({ api: 'Produce' })
}
