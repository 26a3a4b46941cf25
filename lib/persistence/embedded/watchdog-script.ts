/**
 * The watchdog: `sh`, with the folder of the server and that of its socket as arguments. Ends the server when no
 * registered process lives, however they ended. A process of its own, because after `kill -9` nobody else is left; run
 * by the app's user, because it has to see the app's processes; started before the server, so that there is no moment
 * in which a server has none.
 *
 * Against a process that comes while it closes: it first says so in `closing` and then looks once more, and who comes
 * first registers and then looks for `closing`. One of the two sees the other. It removes `watchdog` before `closing`,
 * so that whoever waited for the latter finds no watchdog and starts one.
 *
 * Identities are `<pid>-<start>`, computed as in process-identity.ts; of the fields of /proc/<pid>/stat after the name,
 * the state is the first and the start the twentieth.
 */
export const WATCHDOG_SCRIPT = `
folder=$1 socket_dir=$2

find_start() {
  if [ -r /proc/self/stat ]; then
    { read -r stat < "/proc/$1/stat"; } 2>/dev/null || return 1
    set -- \${stat##*) }
    case $1 in Z|X) return 1 ;; esac
    start=\${20}
  else
    start=$(LC_ALL=C ps -o lstart= -p "$1" 2>/dev/null | tr -cs '[:alnum:]' _)
    [ -n "$start" ]
  fi
}

is_living() {
  find_start "\${1%%-*}" && [ "$start" = "\${1#*-}" ]
}

has_clients() {
  for file in "$folder"/clients/*; do
    name=\${file##*/}
    is_living "\${name%-*}" && return 0
    rm -f "$file"
  done
  return 1
}

close_server() {
  server=
  { read -r server < "$folder/server"; } 2>/dev/null
  server=\${server:-$last_server}
  tries=0
  while is_living "$server" && [ $tries -lt 100 ]; do
    [ $tries -eq 0 ] && kill -INT "\${server%%-*}"
    [ $tries -eq 60 ] && kill -QUIT "\${server%%-*}"
    tries=$((tries + 1))
    sleep 0.5
  done
  rmdir "$socket_dir"
}

find_start $$
myself=$$-$start
exec 2>/dev/null
while sleep 1; do
  # Remembered for the case that somebody removes the folder.
  { read -r last_server < "$folder/server"; }
  has_clients && continue
  printf %s "$myself" > "$folder/closing.$$" && mv "$folder/closing.$$" "$folder/closing"
  if ! has_clients; then
    close_server
    rm -f "$folder/watchdog" "$folder/closing"
    exit
  fi
  rm -f "$folder/closing"
done
`;
