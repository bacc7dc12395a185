/**
 * A position in JSON text that moves forward token by token. The reader of a format asks for what its grammar
 * allows next, so nothing is built that the format does not know, nesting is as deep as the reader's own
 * calls, a repeated key can be seen, and every error has its byte offset.
 */
import { FormatError } from './errors.ts';

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const ZERO = 0x30;
const NINE = 0x39;

export class JsonCursor {
  /** bytes from the start of `bytes` to the next token */
  position: number;
  private readonly bytes: Uint8Array;
  private readonly end: number;
  private readonly operation: string;

  /**
   * @param operation names the reader in errors
   * @param bytes what holds the text
   * @param begin where the text begins in it
   * @param end where the text ends, at most `bytes.length`
   */
  constructor(operation: string, bytes: Uint8Array, begin: number, end: number) {
    this.operation = operation;
    this.bytes = bytes;
    this.position = begin;
    this.end = end;
  }

  /** The error that something at `offset` is not as it should be. */
  error(problem: string, expected: string, offset: number = this.position): FormatError {
    return new FormatError({ operation: this.operation, problem, expected }, { offset });
  }

  /** The error that something else stands here. */
  private otherThan(expected: string): FormatError {
    return this.error(`expected ${expected}${this.found()}`, expected);
  }

  /** Steps over one punctuation character. */
  expect(character: string): void {
    if (this.next() !== character.charCodeAt(0)) throw this.otherThan(character);
    this.position++;
  }

  /** Demands that nothing but white space is left. */
  expectEnd(): void {
    if (this.next() !== undefined) throw this.otherThan('the end of the header');
  }

  /**
   * Reads `{ "key": value, … }`: calls `member` at each value, with its key and the key's offset. A repeated
   * key is an error.
   */
  object(member: (key: string, offset: number) => void): void {
    const keys = new Set<string>();
    this.sequence('{', '}', () => {
      this.next();
      const offset = this.position;
      const key = this.string();
      if (keys.has(key))
        throw this.error(
          `the key ${JSON.stringify(key)} stands twice in one object`,
          'each key once',
          offset,
        );
      keys.add(key);
      this.expect(':');
      member(key, offset);
    });
  }

  /** Reads `[a, b, …]` of whole numbers ≥ 0, at most `limit` of them. */
  wholeNumbers(limit: number): number[] {
    const numbers: number[] = [];
    this.sequence('[', ']', () => {
      if (numbers.length === limit)
        throw this.error(`a list of more than ${limit} numbers`, `at most ${limit} numbers`);
      numbers.push(this.wholeNumber());
    });
    return numbers;
  }

  /** Reads a string. */
  string(): string {
    const begin = this.position;
    if (this.next() !== QUOTE) throw this.otherThan('a string');
    const open = this.position;
    let close = open + 1;
    while (close < this.end && this.bytes[close] !== QUOTE) close += this.bytes[close] === BACKSLASH ? 2 : 1;
    if (close >= this.end) throw this.error('a string without an end', 'a closing quote', begin);
    this.position = close + 1;
    try {
      // Quoted from end to end: JSON.parse gives a string or throws.
      return JSON.parse(decoder.decode(this.bytes.subarray(open, close + 1))) as string;
    } catch {
      throw this.error('a string that is not valid UTF-8 and JSON', 'valid UTF-8 and JSON', open);
    }
  }

  /** Reads a whole number from 0 to 2⁵³ − 1, written as digits alone. */
  wholeNumber(): number {
    this.next();
    const begin = this.position;
    let value = 0;
    for (
      let digit = this.bytes[begin];
      this.position < this.end && digit !== undefined && digit >= ZERO && digit <= NINE;
    ) {
      value = value * 10 + (digit - ZERO);
      if (!Number.isSafeInteger(value))
        throw this.error('a number beyond 2⁵³ − 1', 'a number up to 2⁵³ − 1', begin);
      digit = this.bytes[++this.position];
    }
    const length = this.position - begin;
    if (length === 0) throw this.otherThan('a whole number');
    if (length > 1 && this.bytes[begin] === ZERO)
      throw this.error('a number with leading zeros', 'a number without them', begin);
    return value;
  }

  private sequence(open: string, close: string, item: () => void): void {
    this.expect(open);
    if (this.next() !== close.charCodeAt(0)) {
      item();
      while (this.next() === COMMA) {
        this.position++;
        item();
      }
    }
    this.expect(close);
  }

  /** Steps over white space; the byte that follows, undefined at the end. */
  private next(): number | undefined {
    while (this.position < this.end && isWhiteSpace(this.bytes[this.position]!)) this.position++;
    return this.position < this.end ? this.bytes[this.position] : undefined;
  }

  private found(): string {
    const byte = this.next();
    if (byte === undefined) return ', found the end of the header';
    return byte > 0x20 && byte < 0x7f ? `, found ${String.fromCharCode(byte)}` : `, found the byte ${byte}`;
  }
}

function isWhiteSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}
