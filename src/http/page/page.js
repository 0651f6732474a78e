// The page of a broker: a client of its own /v1 paths. What comes from there is only ever set as text.
'use strict';

const MOST_ROWS = 1000, MOST_CHILDREN = 200, SHOWN_AT_FIRST = 200, REFRESH_MS = 1500, DRAW_MS = 100;
const $ = selector => document.querySelector(selector);

// An element; functions among the properties are listeners, all else that is not text or an element is left out.
function el(tag, properties, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties || {})) {
    if (typeof value === 'function') made.addEventListener(name, value);
    else if (value === true) made.setAttribute(name, '');
    else if (value !== false && value != null) made.setAttribute(name, value);
  }
  made.append(...children.flat(Infinity).filter(child => child != null).map(child => child instanceof Node ? child : String(child)));
  return made;
}
const row = (cells, properties) => el('tr', properties, cells.map(cell => cell instanceof HTMLTableCellElement ? cell : el('td', {}, cell)));
const number = value => el('td', { class: 'number' }, value == null ? '–' : value.toLocaleString('en'));
const time = ms => { const at = new Date(ms); return isNaN(at) ? String(ms) : at.toISOString().slice(11, 23); };
const bytes = count => count < 1024 ? `${count} B` : count < 1 << 20 ? `${(count / 1024).toFixed(1)} KiB` : `${(count / (1 << 20)).toFixed(1)} MiB`;

// --- what is asked of the broker

const token = () => sessionStorage.getItem('klamm-token');
let asking = null;
function askForToken() {
  asking ||= new Promise(resolve => {
    const dialog = $('#ask');
    dialog.addEventListener('close', () => {
      asking = null;
      sessionStorage.setItem('klamm-token', $('#token').value);
      $('#token').value = '';
      resolve();
    }, { once: true });
    dialog.addEventListener('cancel', event => event.preventDefault());
    dialog.showModal();
  });
  return asking;
}

async function ask(path, options = {}) {
  for (;;) {
    const headers = token() ? { Authorization: `Bearer ${token()}` } : {};
    const answer = await fetch(path, { ...options, headers });
    if (answer.status !== 401) return answer;
    await askForToken();
  }
}

class Refused extends Error {
  constructor(status, sentence) { super(sentence); this.status = status; }
}

async function json(path, options) {
  const answer = await ask(path, options);
  const told = await answer.json();
  if (!answer.ok) throw new Refused(answer.status, told.error);
  return told;
}
// What has not changed is not drawn again: text that is being marked stays so.
const drawn = {};
function isNew(what, told) {
  const text = JSON.stringify(told), is = drawn[what] !== text;
  drawn[what] = text;
  return is;
}
const post = (path, body) => json(path, { method: 'POST', body: JSON.stringify(body) });

function trouble(error) {
  $('#trouble').hidden = !error;
  $('#trouble').textContent = error ? (error instanceof Refused ? error.message : `The broker does not answer: ${error.message}`) : '';
}

// --- JSON as a tree whose branches are made when they are opened; the first ones are open

function tree(value, name, room = { left: 150 }) {
  const label = name == null ? [] : [el('span', { class: 'name' }, name), ': '];
  if (value === null || typeof value !== 'object') {
    const kind = typeof value === 'string' ? 'text' : '';
    return el('div', { class: 'leaf' }, label, el('span', { class: kind }, typeof value === 'string' ? JSON.stringify(value) : String(value)));
  }
  const entries = Object.entries(value);
  const brief = Array.isArray(value) ? `[${entries.length}]` : entries.length ? '{…}' : '{}';
  if (!entries.length) return el('div', { class: 'leaf' }, label, brief);
  const branch = el('details', { toggle: fill }, el('summary', {}, label, el('span', { class: 'quiet' }, brief)));
  function fill() {
    if (!branch.open || branch.children.length > 1) return;
    branch.append(...entries.slice(0, MOST_CHILDREN).map(([key, child]) => tree(child, key, room)));
    if (entries.length > MOST_CHILDREN) branch.append(el('div', { class: 'leaf quiet' }, `and ${entries.length - MOST_CHILDREN} more`));
  }
  if (entries.length <= room.left) { room.left -= entries.length; branch.open = true; fill(); }
  return branch;
}
const facts = pairs => el('dl', { class: 'facts' }, pairs.filter(([, value]) => value != null)
  .map(([name, value]) => [el('dt', {}, name), el('dd', {}, value)]));

// --- requests

const WORDS = ['api', 'client_id', 'topic', 'group', 'principal', 'error'];
const POLLS = ['Fetch', 'Heartbeat', 'ConsumerGroupHeartbeat'];
let known = new Map(), pending = [], following = null, chosen = null, frame = null;

// Words that the broker looks for, and the rest, which is looked for here.
function wanted() {
  const query = new URLSearchParams(), texts = [];
  for (const word of $('#filter').value.split(/\s+/).filter(Boolean)) {
    const [name, value] = word.split(/=(.*)/s);
    if (WORDS.includes(name) && value) query.append(name, value); else texts.push(word.toLowerCase());
  }
  return { query, texts };
}

function isShown(exchange, texts) {
  if ($('#hide-polls').checked && POLLS.includes(exchange.api)) return false;
  const text = [exchange.api, exchange.client_id, exchange.principal, exchange.peer, exchange.end, ...Object.keys(exchange.errors)]
    .join(' ').toLowerCase();
  return texts.every(wanted => text.includes(wanted));
}

async function follow() {
  following?.abort();
  const mine = following = new AbortController(), { query } = wanted();
  known.clear(); pending = [];
  draw();
  query.set('bodies', 'false');
  try {
    const events = await ask(`/v1/requests?follow&${query}`, { signal: mine.signal });
    if (!events.ok) throw new Refused(events.status, (await events.json()).error);
    trouble();
    const before = await json(`/v1/requests?limit=${SHOWN_AT_FIRST}&${query}`, { signal: mine.signal });
    take(before.requests);
    const reader = events.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let rest = '';;) {
      const { value, done } = await reader.read();
      if (done) throw new Error('it has ended the stream');
      const all = (rest + value).split('\n');
      rest = all.pop();
      take(all.filter(line => line.startsWith('data: ')).map(line => JSON.parse(line.slice(6))));
    }
  } catch (error) {
    if (mine.signal.aborted) return;
    trouble(error);
    if (!(error instanceof Refused)) setTimeout(() => mine === following && follow(), 1000);
  }
}

function take(exchanges) {
  pending.push(...exchanges);
  if (pending.length > MOST_ROWS) pending.splice(0, pending.length - MOST_ROWS);
  frame ||= setTimeout(() => { frame = null; draw(); }, DRAW_MS);
}
const isPaused = () => $('#pause').getAttribute('aria-pressed') === 'true';

function draw() {
  const body = $('#requests-table tbody');
  if (!isPaused()) {
    for (const exchange of pending.splice(0)) known.set(exchange.id, exchange);
    for (const id of known.keys()) { if (known.size <= MOST_ROWS) break; known.delete(id); }
    const { texts } = wanted();
    const shown = [...known.values()].reverse().filter(exchange => isShown(exchange, texts)).sort((a, b) => b.at - a.at);
    const rows = new Map([...body.children].map(row => [row.dataset.id, row]));
    body.replaceChildren(...shown.map(exchange => rows.get(exchange.id) || requestRow(exchange)));
    $('#requests-count').textContent = `${shown.length} of the last ${known.size}`;
  } else {
    $('#requests-count').textContent = `paused, ${pending.length} new`;
  }
}

function requestRow(exchange) {
  const { queued, handled, waited, total } = exchange.micros;
  const errors = Object.entries(exchange.errors).map(([name, count]) => count > 1 ? `${name} ×${count}` : name).join(', ');
  const told = exchange.end === 'closed' ? exchange.reason || 'closed' : errors || (exchange.end === 'silent' ? 'no answer wanted' : 'ok');
  const bar = el('div');
  // From a microsecond to ten seconds, so that short ones can be seen beside long polls.
  bar.style.width = `${Math.max(2, Math.min(100, 100 * Math.log10(1 + total) / 7))}%`;
  for (const [kind, micros] of [['queued', queued], ['handled', handled], ['waited', waited]]) {
    const part = el('span', { class: kind });
    part.style.flexGrow = micros || 0.001;
    bar.append(part);
  }
  const made = row([
    time(exchange.at),
    el('td', { title: exchange.client_id }, exchange.client_id || '–'), `${exchange.api} v${exchange.version}`,
    number(exchange.request_bytes), number(exchange.answer_bytes),
    el('td', { class: 'duration', title: `queued ${queued} µs, handled ${handled} µs, waited ${waited} µs` }, bar),
    el('td', { class: 'number' }, (total / 1000).toFixed(total < 10000 ? 2 : 0)), el('td', { title: told }, told),
  ], { class: exchange.end === 'closed' || errors ? 'failed' : null, 'data-id': exchange.id, click: () => openExchange(exchange) });
  made.classList.toggle('chosen', exchange.id === chosen);
  return made;
}

async function openExchange(exchange) {
  chosen = exchange.id;
  for (const row of $('#requests-table tbody').children) row.classList.toggle('chosen', row.dataset.id === chosen);
  const found = await json(`/v1/requests?id=${exchange.id}&records=true`).catch(() => ({ requests: [] }));
  if (chosen !== exchange.id) return;
  const whole = found.requests[0] || { ...exchange, request: { not_kept: true } };
  const side = $('#exchange'), { queued, handled, waited } = whole.micros;
  side.hidden = false;
  side.replaceChildren(
    el('div', { class: 'title' }, el('h2', {}, `${whole.api} v${whole.version}`), el('button', { click: closeExchange, title: 'Close' }, '×')),
    facts([
      ['client', whole.client_id], ['software', whole.software && `${whole.software.name} ${whole.software.version}`],
      ['principal', whole.principal], ['broker', brokerIds.length > 1 ? whole.broker : null],
      ['from', `${whole.peer}, listener ${whole.listener}, shard ${whole.shard}`],
      ['came', new Date(whole.at).toISOString()], ['µs', `queued ${queued}, handled ${handled}, waited ${waited}`],
      ['errors', Object.keys(whole.errors).join(', ') || null], ['end', whole.reason || whole.end],
    ]),
    el('h3', {}, `Request, ${bytes(whole.request_bytes)}`), el('div', { class: 'tree' }, tree(whole.request)),
    ...'answer' in whole ? [el('h3', {}, `Answer, ${bytes(whole.answer_bytes)}`), el('div', { class: 'tree' }, tree(whole.answer))] : [],
  );
}
function closeExchange() { chosen = null; $('#exchange').hidden = true; draw(); }

// --- topics and their records

let topic = null, partition = 0, form = 'text', records = [], next = null;

async function topics() {
  const told = await json('/v1/topics');
  if (!isNew('topics', [told, $('#internal').checked])) return;
  const shown = told.topics.filter(each => $('#internal').checked || !each.internal);
  $('#topics-count').textContent = `${shown.length} topic${shown.length === 1 ? '' : 's'}` + (told.more ? `, ${told.more} more are not shown` : '');
  $('#topics-table tbody').replaceChildren(...shown.map(each => row([
    each.topic, number(each.partitions.length), number(each.records), el('td', { class: 'number' }, bytes(each.bytes)),
    Object.entries(each.configs).map(([name, value]) => `${name}=${value}`).join(', '),
  ], { click: () => openTopic(each.topic, 0), class: each.topic === topic ? 'chosen' : null, 'data-topic': each.topic })));
}

async function openTopic(name, index) {
  [topic, partition] = [name, index];
  for (const row of $('#topics-table tbody').children) row.classList.toggle('chosen', row.dataset.topic === name);
  const [of] = (await json(`/v1/topics?${new URLSearchParams({ topic })}`)).topics;
  const table = el('table', { id: 'partitions-table' },
    el('thead', {}, el('tr', {}, ['Partition', 'Leader', 'First', 'End', 'Stable', 'Bytes'].map(title => el('th', { class: 'number' }, title)))),
    el('tbody', {}, of.partitions.slice(0, MOST_ROWS).map(each => row([
      number(each.partition), leaderOf(name, each), ...[each.start, each.end, each.last_stable, each.bytes].map(number)],
    { class: each.partition === partition ? 'chosen' : null, click: () => guard(openTopic(name, each.partition)) }))));
  const formats = el('span', { id: 'formats' }, ['text', 'json', 'hex'].map(kind =>
    el('button', { 'aria-pressed': String(kind === form), click: event => {
      form = kind;
      for (const button of event.target.parentNode.children) button.setAttribute('aria-pressed', String(button === event.target));
      drawRecords();
    } }, kind)));
  $('#topic').hidden = false;
  $('#topic').replaceChildren(
    el('div', { class: 'title' }, el('h2', {}, name), el('span', { class: 'quiet' }, of.id)),
    table, el('div', { class: 'title' }, el('h3', {}, `Newest records of partition ${partition}`), formats,
      el('button', { click: () => guard(openTopic(topic, partition)) }, 'Refresh')),
    el('table', { id: 'records-table' }, el('thead', {}, el('tr', {}, ['Offset', 'Time', 'Key', 'Value', 'Headers'].map(title => el('th', { class: title === 'Offset' ? 'number' : null }, title)))), el('tbody')),
    el('button', { id: 'older', click: () => guard(readRecords(next)) }, 'Older'),
  );
  records = [];
  await readRecords();
}

async function readRecords(before) {
  const query = new URLSearchParams({ topic, partition, ...(before == null ? {} : { before }) });
  const told = await json(`/v1/records?${query}`);
  records = [...records, ...told.records].slice(-MOST_ROWS);
  next = told.next;
  $('#older').hidden = next == null;
  drawRecords();
}

const toBytes = of => typeof of === 'string' ? new TextEncoder().encode(of) : Uint8Array.from(atob(of.base64), digit => digit.charCodeAt(0));
const hex = of => Array.from(of, byte => byte.toString(16).padStart(2, '0')).join(' ');
function shown(value) {
  if (value == null) return el('span', { class: 'quiet' }, 'null');
  const begin = value.begin ?? value, more = value.begin ? `\n… ${bytes(value.bytes)} in all` : '';
  let text = form === 'hex' || typeof begin !== 'string' ? hex(toBytes(begin)) : begin;
  if (form === 'json' && typeof value === 'string') try { text = JSON.stringify(JSON.parse(value), null, 2); } catch { /* It is no JSON. */ }
  return text + more === '' ? el('span', { class: 'quiet' }, 'empty') : el('pre', {}, text + more);
}

function drawRecords() {
  $('#records-table tbody').replaceChildren(...records.map(record => {
    const place = el('td', { class: 'number' }, record.offset ?? '–');
    const at = el('td', { class: 'fit', title: record.timestamp == null ? '' : String(record.timestamp) },
      record.timestamp == null ? '' : time(record.timestamp));
    if (record.error || record.control)
      return row([place, at, el('td', { colspan: 3, class: record.error ? 'error' : 'quiet' }, record.error || `${record.control} marker of producer ${record.producer_id}`)]);
    const open = record.transaction && record.transaction !== 'committed' ? el('div', { class: 'error' }, `transaction ${record.transaction}`) : null;
    return row([place, at, shown(record.key), el('td', {}, shown(record.value), open),
      el('td', {}, record.headers.map(([name, value]) => el('div', { class: 'pair' }, shown(name), ': ', shown(value))))]);
  }));
}

// --- brokers, where the process plays several

let brokerIds = [];
const deed = (name, of) => post('/v1/deeds', { [name]: of });

async function brokers() {
  const told = await json('/v1/brokers');
  if (!isNew('brokers', told)) return;
  $('#brokers-table tbody').replaceChildren(...told.brokers.map(each => row([
    each.broker, each.rack ?? '–', each.listeners.map(of => `${of.listener} ${of.host}:${of.port}`).join(', '), number(each.leads), !each.up ? 'down' : each.hidden ? 'up, hidden' : 'up',
    el('td', { class: 'fit' }, el('button', { click: () => guard(deed(each.up ? 'broker_down' : 'broker_up', { broker: each.broker }).then(brokers)) },
      each.up ? 'Take down' : 'Bring up')),
  ], { class: each.up ? null : 'off', 'data-broker': each.broker })));
}

// The leader of a partition; a choice where there is one.
function leaderOf(topic, each) {
  if (brokerIds.length < 2) return number(each.leader);
  return el('td', { class: 'number' }, el('select', {
    'aria-label': `leader of partition ${each.partition}`, click: event => event.stopPropagation(),
    change: event => guard(deed('move_leader', { topic, partition: each.partition, to: Number(event.target.value) }).finally(() => openTopic(topic, partition))),
  }, [each.leader, ...brokerIds.filter(id => id !== each.leader)].map(id => el('option', { value: id }, id))));
}

// --- groups

const partitionsOf = all => all == null ? 'not a consumer' : all.flatMap(of => of.partitions.map(index => `${of.topic}-${index}`)).join(', ') || 'none';
const table = (titles, rows) => el('table', {}, el('thead', {}, el('tr', {}, titles.map(title =>
  el('th', { class: ['Committed', 'End', 'Stable', 'Lag'].includes(title) ? 'number' : null }, title)))), el('tbody', {}, rows));

async function groups() {
  const told = await json('/v1/groups'), { groups, more } = told;
  if (!isNew('groups', told)) return;
  $('#groups-list').replaceChildren(...groups.map(group => el('div', { class: 'card', 'data-group': group.group },
    el('div', { class: 'title' }, el('h2', {}, group.group), el('span', { class: 'state' }, group.state),
      el('span', { class: 'quiet' }, `${group.type} protocol${group.protocol ? `, ${group.protocol}` : ''}`),
      el('span', {}, group.lag == null ? 'nothing committed' : `lag ${group.lag}`)),
    group.why.length ? el('ul', { class: 'why' }, group.why.map(sentence => el('li', {}, sentence))) : null,
    group.members.length ? table(['Member', 'Client', 'Host', 'Has'], group.members.slice(0, MOST_CHILDREN).map(member => row([
      member.member_id, member.client_id, member.host, partitionsOf(member.assignment)]))) : null,
    group.partitions.length ? [el('h3', {}, 'Partitions'), table(['Partition', 'Member', 'Committed', 'End', 'Stable', 'Lag'],
      group.partitions.slice(0, MOST_CHILDREN).map(each => row([`${each.topic}-${each.partition}`, each.member_id || '–',
        number(each.committed), number(each.end), number(each.last_stable), number(each.lag)])))] : null)));
  if (more) $('#groups-list').append(el('p', { class: 'quiet' }, `${more} more groups are not shown.`));
}

// --- faults: a rule that is switched off is taken away and kept here

const ERRORS = ['NOT_LEADER_OR_FOLLOWER', 'NOT_COORDINATOR', 'COORDINATOR_LOAD_IN_PROGRESS', 'REQUEST_TIMED_OUT', 'UNKNOWN_TOPIC_OR_PARTITION',
  'NOT_ENOUGH_REPLICAS', 'OFFSET_OUT_OF_RANGE', 'UNKNOWN_MEMBER_ID', 'REBALANCE_IN_PROGRESS', 'ILLEGAL_GENERATION', 'FENCED_INSTANCE_ID',
  'INVALID_PRODUCER_EPOCH', 'OUT_OF_ORDER_SEQUENCE_NUMBER', 'KAFKA_STORAGE_ERROR', 'TOPIC_AUTHORIZATION_FAILED', 'THROTTLING_QUOTA_EXCEEDED'];
const APIS = ['Produce', 'Fetch', 'ListOffsets', 'Metadata', 'ApiVersions', 'FindCoordinator', 'JoinGroup', 'SyncGroup', 'Heartbeat',
  'ConsumerGroupHeartbeat', 'LeaveGroup', 'OffsetCommit', 'OffsetFetch', 'InitProducerId', 'AddPartitionsToTxn', 'TxnOffsetCommit', 'EndTxn', 'CreateTopics'];
const PRESETS = {
  'Lost acknowledgement': { api: 'Produce', deed: 'close', after: true, count: 1 },
  'Leader moved': { api: 'Produce', deed: 'error', amount: 'NOT_LEADER_OR_FOLLOWER', count: 3 },
  'Coordinator moved': { api: 'OffsetCommit', deed: 'error', amount: 'NOT_COORDINATOR', count: 3 },
  'Slow reads': { api: 'Fetch', deed: 'delay_ms', amount: 500 },
  'Produce hangs': { api: 'Produce', deed: 'hold' },
  'Member expired': { api: 'Heartbeat', deed: 'error', amount: 'UNKNOWN_MEMBER_ID', count: 1 },
  'Throttled': { deed: 'throttle_ms', amount: 1000, api: 'Produce' },
};
const AMOUNTS = { error: 'error', delay_ms: 'milliseconds', throttle_ms: 'milliseconds', truncate: 'bytes that are left' };
// These happen before the effect, and not after it.
const BEFORE = ['expire_member', 'stale'];
// These have no time in front of them.
const NEVER_LATE = ['delay_ms', 'hold', 'no_answer', 'expire_member'];
const switchedOff = [];

function ruleOf(fields) {
  const value = name => fields.elements[name].value.trim();
  const rule = { match: {}, action: {} };
  for (const name of ['api', 'topic', 'group', 'client_id']) if (value(name)) rule.match[name] = value(name);
  for (const name of ['broker', 'every']) if (value(name)) rule.match[name] = Number(value(name));
  const deed = value('deed'), amount = value('amount');
  rule.action[deed] = !(deed in AMOUNTS) ? true : deed === 'error' ? (/^-?\d+$/.test(amount) ? Number(amount) : amount) : Number(amount);
  if (value('late') && !NEVER_LATE.includes(deed)) rule.action.delay_ms = Number(value('late'));
  const { after } = fields.elements;
  if (after.checked && !after.disabled) rule.action.after = true;
  if (value('count')) rule.count = Number(value('count'));
  return rule;
}

function fill(preset) {
  const fields = $('#fault');
  fields.reset();
  for (const [name, value] of Object.entries(preset)) fields.elements[name][name === 'after' ? 'checked' : 'value'] = value;
  showAmount();
}
function showAmount() {
  const deed = $('#fault').elements.deed.value;
  $('#amount-label').hidden = !(deed in AMOUNTS);
  $('#amount-label span').textContent = AMOUNTS[deed] || '';
  $('#late-label').hidden = NEVER_LATE.includes(deed);
  $('#fault').elements.after.disabled = BEFORE.includes(deed);
}

async function addRule(rule) {
  try {
    await post('/v1/faults', rule);
    $('#fault-told').hidden = true;
    await faults();
    return true;
  } catch (error) {
    $('#fault-told').hidden = false;
    $('#fault-told').textContent = error.message;
  }
}

const words = of => Object.entries(of || {}).filter(([name]) => name !== 'after').map(([name, value]) => value === true ? name
  : `${name}=${typeof value === 'object' ? JSON.stringify(value) : value}`).join(' ');
const deedOf = rule => [words(rule.action) + (rule.action.after === true ? ' after the effect' : ''),
  rule.count && (rule.count === 1 ? 'once' : `${rule.count} times`), rule.over && 'over'].filter(Boolean).join(', ');
async function faults() {
  const rules = (await json('/v1/faults')).faults;
  if (!isNew('faults', [rules, switchedOff])) return;
  const active = rules.filter(rule => !rule.over).length;
  $('#faults-count').hidden = !active;
  $('#faults-count').textContent = active;
  const text = ({ match, action, count, expires_ms }) => ({ match, action, count, expires_ms });
  const on = rules.map(rule => row([
    el('input', { type: 'checkbox', checked: true, 'aria-label': `rule ${rule.id}`, change: () => guard((async () => {
      await json(`/v1/faults?id=${rule.id}`, { method: 'DELETE' });
      switchedOff.push(text(rule));
      await faults();
    })()) }), rule.id, words(rule.match) || 'every request', deedOf(rule), number(rule.matched), number(rule.struck),
    el('td', { class: 'fit' }, rule.action.hold ? el('button', { click: () => guard(post(`/v1/faults/release?id=${rule.id}`)) }, 'Release') : null, ' ',
      el('button', { click: () => guard(json(`/v1/faults?id=${rule.id}`, { method: 'DELETE' }).then(faults)) }, 'Remove')),
  ], { class: rule.over ? 'off' : null, 'data-rule': rule.id }));
  const off = switchedOff.map((rule, at) => row([
    el('input', { type: 'checkbox', 'aria-label': 'a rule that is off', change: () => guard((async () => {
      if (await addRule(rule)) { switchedOff.splice(at, 1); await faults(); }
    })()) }), '–', words(rule.match) || 'every request', deedOf(rule), number(null), number(null),
    el('td', { class: 'fit' }, el('button', { click: () => { switchedOff.splice(at, 1); guard(faults()); } }, 'Remove')),
  ], { class: 'off' }));
  $('#faults-table tbody').replaceChildren(...on, ...off);
}

// --- the clock

let frozen = false;
const STEPS = { '1 s': 1e3, '10 s': 1e4, '1 min': 6e4, '5 min': 3e5, '1 h': 36e5, '1 d': 864e5 };
// While it is being moved, only the end of the move is shown.
let moves = 0; // Odd while one goes on.
async function clock() {
  const before = moves, told = await json('/v1/clock');
  if (before === moves && before % 2 === 0) showClock(told);
}
function showClock(told) {
  frozen = told.frozen;
  $('#now').textContent = `${new Date(told.wall_ms).toISOString().replace('T', ' ').replace('Z', ' UTC')}${frozen ? ' — frozen' : ''}`;
  $('#freeze').textContent = frozen ? 'Let it run' : 'Freeze';
  if (told.deadlines != null) $('#clock-told').textContent = `Moved: ${told.deadlines} deadlines were met, and what became due is done.`;
}
async function moveClock(change) {
  if (moves % 2) return;
  moves++;
  await guard(post('/v1/clock', change).then(showClock).finally(() => moves++));
}

// --- tabs

const TABS = { requests: null, topics, groups, brokers, faults, clock };
let tab = null, timer = null;
const guard = work => work.then(() => trouble(), trouble);

async function refresh() {
  clearTimeout(timer);
  const mine = tab, began = performance.now();
  if (TABS[mine] && !document.hidden) await guard(TABS[mine]());
  // What takes long is asked less often.
  if (mine === tab) { clearTimeout(timer); timer = setTimeout(refresh, Math.max(REFRESH_MS, 10 * (performance.now() - began))); }
}

function openTab(name) {
  if (!(name in TABS) || $(`[data-tab=${name}]`).hidden) name = 'requests';
  if (name === tab) return;
  tab = name;
  for (const button of document.querySelectorAll('[data-tab]')) {
    button.setAttribute('aria-selected', String(button.dataset.tab === name));
    $(`#${button.dataset.tab}`).hidden = button.dataset.tab !== name;
  }
  history.replaceState(null, '', `#${name}`);
  // Requests are followed while they are looked at.
  if (name === 'requests') { if (!following) follow(); } else { following?.abort(); following = null; }
  refresh();
}

async function begin() {
  const told = await json('/version');
  $('#broker').textContent = `${told.name} ${told.version}, node ${told.node_id}, cluster ${told.cluster_id}`;
  document.title = `Klamm ${location.host}`;
  for (const name of ['faults', 'clock']) $(`[data-tab=${name}]`).hidden = !(await ask(`/v1/${name}`)).ok;
  const played = await ask('/v1/brokers');
  brokerIds = played.ok ? (await played.json()).brokers.map(each => each.broker) : [];
  $('[data-tab=brokers]').hidden = $('#fault-broker').hidden = brokerIds.length < 2;
  $('#apis').append(...APIS.map(value => el('option', { value })));
  $('#errors').append(...ERRORS.map(value => el('option', { value })));
  $('#presets').append(...Object.entries(PRESETS).map(([name, preset]) => el('button', { type: 'button', click: () => fill(preset) }, name)));
  $('#steps').append(...Object.entries(STEPS).map(([name, ms]) => el('button', { click: () => moveClock({ advance_ms: ms }) }, name)));
  fill(PRESETS['Lost acknowledgement']);
  openTab(location.hash.slice(1) || 'requests');
}

for (const button of document.querySelectorAll('[data-tab]')) button.addEventListener('click', () => openTab(button.dataset.tab));
window.addEventListener('hashchange', () => openTab(location.hash.slice(1)));
let typed = null;
$('#filter').addEventListener('input', () => { clearTimeout(typed); typed = setTimeout(follow, 250); });
$('#hide-polls').addEventListener('change', draw);
$('#pause').addEventListener('click', () => { $('#pause').setAttribute('aria-pressed', String(!isPaused())); draw(); });
$('#clear').addEventListener('click', () => { known.clear(); pending = []; closeExchange(); });
$('#topics-refresh').addEventListener('click', () => guard(topics()));
$('#internal').addEventListener('change', () => guard(topics()));
$('#fault').addEventListener('submit', event => { event.preventDefault(); addRule(ruleOf(event.target)); });
$('#fault').elements.deed.addEventListener('change', showAmount);
$('#freeze').addEventListener('click', () => moveClock({ frozen: !frozen }));
$('#advance').addEventListener('submit', event => { event.preventDefault(); moveClock({ advance_ms: Number(event.target.elements.ms.value) }); });
$('#set').addEventListener('submit', event => { event.preventDefault(); moveClock({ wall_ms: Date.parse(`${event.target.elements.at.value}Z`) }); });
begin().catch(trouble);
