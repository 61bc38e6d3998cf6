/** Numbers that are 64 bits wide on the wire, which an application sees as `number`. */
import { brokenProtocol } from "./errors.js";

export function safeNumber(value: bigint): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw brokenProtocol(`${value} is beyond 2^53`);
  return number;
}
