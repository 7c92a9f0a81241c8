/** Only addresses of this interface: nobody is sent elsewhere by a link to the sign-in page. */
export function safeTarget(to: string | undefined): string {
  return to && /^\/(?![/\\])/.test(to) && !to.startsWith('/sign-in') ? to : '/';
}
