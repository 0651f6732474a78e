// What goes wrong. What a test expected and did not find is an AssertionError of node:assert.

/** The broker has refused a call, in its own words. */
export class KlammError extends Error {
  name = 'KlammError'
}

/** There is no broker: its program is not found, or has ended before it was ready. */
export class StartError extends KlammError {
  name = 'StartError'
}

/** What was waited for has not come; the sentence says what was missing. */
export class WaitTimeout extends KlammError {
  name = 'WaitTimeout'
}
