/**
 * Types of Seamline's tracker script, for editors: `/// <reference path="seamline.d.ts" />`, or list it in tsconfig.
 * Nothing is stored or sent while the browser says GPC or DNT, the visitor has opted out, or consent is required and
 * not given. What is called before consent is kept in memory (200 calls) and sent, with its own time, once it is given.
 */

type SeamlineValue = string | number | boolean | null | SeamlineValue[] | { [name: string]: SeamlineValue };
type SeamlineProperties = { [name: string]: SeamlineValue };

interface SeamlineMoney {
  revenue?: number;
  /** ISO 4217, three letters. */
  currency?: string;
}

interface SeamlineMethods {
  /** A page view; the script sends one at load and at every change of the path unless `data-auto="false"`. */
  page(path?: string, properties?: SeamlineProperties): void;
  /** Something that happened. */
  track(name: string, properties?: SeamlineProperties, money?: SeamlineMoney): void;
  /**
   * This visitor is that user, until `reset`. The first time the anonymous ID stays. A different user gets a new
   * anonymous ID and a page view under it; the same one again sends nothing but traits, if there are any.
   */
  identify(userId: string | number | null | undefined, traits?: SeamlineProperties): void;
  /** Signed out: says so under the old anonymous ID, then makes a new one. */
  reset(): void;
  /** Facts about the person. */
  setTraits(traits: SeamlineProperties): void;
  /** Whether the visitor allows it. `true` is remembered; `false` after `true` deletes what was stored. */
  consent(given: boolean): void;
  /** Delete everything stored, and never send again from this browser until `optIn`. */
  optOut(): void;
  optIn(): void;
  /** 32 hexadecimal digits, or null while nothing may be stored. */
  anonymousId(): string | null;
}

/** `["track", "Added", { sku: "boots" }]`: a method's name and its arguments. */
type SeamlineCommand = { [M in keyof SeamlineMethods]: [M, ...Parameters<SeamlineMethods[M]>] }[keyof SeamlineMethods];

interface Seamline extends SeamlineMethods {
  push(...commands: SeamlineCommand[]): void;
}

type ContentsquareScope = 1 | 2 | 3 | 4 | "visit" | "page" | "nextPageOnly";

/** The commands of Contentsquare's `_uxa` that are answered. */
type ContentsquareCommand =
  | ["identify", string | number, { /** SHA-256, in the browser. Needs https. */ hash?: boolean }?]
  | ["resetIdentity"]
  /** The SHA-256 of the identity in lower-case hex, never the identity; null if nobody is signed in. */
  | ["getIdentity", (hash: string | null) => void]
  | ["addUserProperties", SeamlineProperties]
  | ["trackPageview", string?]
  | ["trackPageEvent" | "event" | "trackEvent", string, SeamlineProperties?]
  | ["setCustomVariable", number, string, string, ContentsquareScope?]
  | ["trackDynamicVariable", { key: string; value: string | number }]
  | ["ec:transaction:create", { id: string; revenue: number | string; currency?: string }]
  | ["ec:transaction:items:add", SeamlineProperties]
  | ["ec:transaction:send"]
  | ["addEventProperties", SeamlineProperties]
  | ["removeEventProperty", string]
  | ["clearEventProperties"]
  | ["setPath" | "setQuery", string]
  | ["optIn" | "optOut"];

/** MetricsWave's API: `metricswave(uuid, params)` is `metricswave.track(uuid, params)`. */
interface MetricsWave {
  (eventUuid: string, params?: SeamlineProperties): void;
  track(eventUuid: string, params?: SeamlineProperties): void;
  /** The user from now on; null when they sign out, which also makes a new anonymous ID. */
  setUser(userId: string | number | null): void;
}

interface Window {
  /** An array until the script is there: `(window.seamline ||= []).push(["page"])`. */
  seamline: Seamline | SeamlineCommand[];
  _uxa: { push(...commands: ContentsquareCommand[]): unknown };
  metricswave: MetricsWave;
}
