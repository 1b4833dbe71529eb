/** A module bundled into one script, as text: build.mjs makes it. */
declare module "worker:*" {
  const code: string;
  export default code;
}
