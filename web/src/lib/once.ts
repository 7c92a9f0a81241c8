import { type UseMutationOptions, useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { ApiProblem } from '../api/client.ts';

/** Answers that leave open whether the request has had, or is having, an effect. */
function isUnclear(error: Error): boolean {
  if (!(error instanceof ApiProblem)) return false;
  return [0, 502, 503, 504].includes(error.status) || error.code === 'idempotency_key_in_use';
}
const MORE_ATTEMPTS = 2;

/**
 * What somebody means by a click. Asking for the same again, because no answer came, is the same intention and has the
 * same key, so that the server does it once; other words, or the same after they were done, are another intention.
 */
export class Intention {
  #said: string | undefined;
  #key = '';

  header(request: unknown): { 'Idempotency-Key': string } {
    const said = JSON.stringify(request);
    if (said !== this.#said) {
      this.#said = said;
      // Not `randomUUID`: it is missing where a page came without TLS.
      this.#key = [...crypto.getRandomValues(new Uint8Array(16))]
        .map((byte) => byte.toString(16).padStart(2, '0'))
        .join('');
    }
    return { 'Idempotency-Key': this.#key };
  }

  done(): void {
    this.#said = undefined;
  }
}

interface Options<T, V> extends Omit<UseMutationOptions<T, Error, V>, 'mutationFn' | 'retry'> {
  /** Sends the request; `header` makes its header from all that it says. */
  send: (header: (request: unknown) => { 'Idempotency-Key': string }, variables: V) => Promise<T>;
}

/** A request that creates something: sent again by itself when the connection breaks, and done once all the same. */
export function useOnce<T, V = void>({ send, ...options }: Options<T, V>) {
  const [intention] = useState(() => new Intention());
  return useMutation<T, Error, V>({
    ...options,
    mutationFn: async (variables) => {
      const made = await send((request) => intention.header(request), variables);
      intention.done();
      return made;
    },
    onError: (error, ...rest) => {
      // The same would be refused for ever: what is asked for next is another thing.
      if (error instanceof ApiProblem && error.code === 'answer_gone') intention.done();
      return options.onError?.(error, ...rest);
    },
    retry: (failures, error) => failures < MORE_ATTEMPTS && isUnclear(error),
  });
}
