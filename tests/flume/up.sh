#!/usr/bin/env bash
# up.sh DIR - a throw-away Apache Flume node on loopback, in DIR: Avro source r1 -> channel c1 -> file_roll sink k1. Starts it if it does
# not run yet; returns when the source listens, and prints what a test needs as assignments (kept in DIR/flume.env). Port, channel and
# output stay over restarts. Needs the jars that `tests/setup.sh flume` fetches. Stop it with down.sh DIR [-9].
#
# From the environment, read at each start:
#   FLUME_VERSION      1.11.0 (default) or 1.9.0
#   FLUME_CHANNEL      file (default) or memory
#   FLUME_CAPACITY     events the channel holds, 1000000
#   FLUME_TRANSACTION  events a batch may have, 10000
#   FLUME_SINK         file_roll (default), null, or none: nothing drains the channel
#   FLUME_JAVA         options of the JVM, -Xmx512m
#   FLUME_CONF         more lines of the agent's file (agent a1); a later line wins
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
[ $# -eq 1 ] || { sed -n '2,4p' "$0" >&2; exit 2; }
mkdir -p "$1" && dir=$(cd "$1" && pwd -P)
version=${FLUME_VERSION:-1.11.0} channel=${FLUME_CHANNEL:-file} transaction=${FLUME_TRANSACTION:-10000}
jars=$CACHE/flume/$version
[ -e "$jars/.complete" ] || die "no jars of Flume $version here: tests/setup.sh flume fetches them"
have java || die "no java here: tests/setup.sh flume installs it"

if alive "$dir/pid" && [ -s "$dir/flume.env" ]; then cat "$dir/flume.env"; exit; fi
mkdir -p "$dir"/{out,data,checkpoint}

in_use() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
# below the range from which clients get their ports, so that a restart finds it free
free_port() {
  local port
  while :; do
    port=$((20000 + RANDOM % 12000))
    in_use $port || { echo $port; return; }
  done
}
[ -s "$dir/ports" ] || echo "$(free_port) $(free_port)" >"$dir/ports"
read -r port metrics <"$dir/ports"

cat >"$dir/log4j2.xml" <<'X'
<Configuration status="ERROR">
  <Appenders><Console name="out"><PatternLayout pattern="%d{ISO8601} %-5p [%t] %c{1}: %m%n"/></Console></Appenders>
  <Loggers><Root level="info"><AppenderRef ref="out"/></Root></Loggers>
</Configuration>
X
{
  cat <<C
a1.sources = r1
a1.channels = c1
a1.sources.r1.type = avro
a1.sources.r1.bind = 127.0.0.1
a1.sources.r1.port = $port
a1.sources.r1.channels = c1
a1.channels.c1.type = $channel
a1.channels.c1.capacity = ${FLUME_CAPACITY:-1000000}
a1.channels.c1.transactionCapacity = $transaction
C
  [ "$channel" != file ] || cat <<C
a1.channels.c1.checkpointDir = $dir/checkpoint
a1.channels.c1.dataDirs = $dir/data
a1.channels.c1.minimumRequiredSpace = 67108864
C
  batch=$((transaction < 1000 ? transaction : 1000))
  # HEADER_AND_TEXT prints the map of headers before each line
  case ${FLUME_SINK:-file_roll} in
    file_roll) cat <<C ;;
a1.sinks = k1
a1.sinks.k1.channel = c1
a1.sinks.k1.type = file_roll
a1.sinks.k1.sink.directory = $dir/out
a1.sinks.k1.sink.rollInterval = 0
a1.sinks.k1.sink.batchSize = $batch
a1.sinks.k1.sink.serializer = HEADER_AND_TEXT
C
    null) cat <<C ;;
a1.sinks = k1
a1.sinks.k1.channel = c1
a1.sinks.k1.type = null
a1.sinks.k1.batchSize = $batch
C
    none) ;;
    *) die "FLUME_SINK: $FLUME_SINK? (file_roll, null, none)" ;;
  esac
  printf '%s\n' "${FLUME_CONF:-}"
} >"$dir/agent.properties"

read -ra java <<<"${FLUME_JAVA:--Xmx512m}"
setsid java "${java[@]}" -Djava.net.preferIPv4Stack=true --add-opens=java.base/java.lang=ALL-UNNAMED \
  -Dlog4j2.configurationFile="$dir/log4j2.xml" -Dflume.monitoring.type=http -Dflume.monitoring.port="$metrics" \
  -cp "$jars/*" org.apache.flume.node.Application -n a1 -f "$dir/agent.properties" --no-reload-conf \
  >>"$dir/log" 2>&1 </dev/null &
pid=$!
echo "$pid $(start_of "$pid")" >"$dir/pid"
cat >"$dir/flume.env" <<C
FLUME_PID=$pid
FLUME_PORT=$port
FLUME_METRICS_PORT=$metrics
FLUME_OUT=$dir/out
C

# the counters tell when the source listens, whatever it speaks; a file channel replays first what is still in it
started() {
  exec 3<>"/dev/tcp/127.0.0.1/$metrics" || return
  printf 'GET /metrics HTTP/1.0\r\n\r\n' >&3
  timeout 5 cat <&3 | grep -Eq '"SOURCE.r1":\{[^}]*"StartTime":"[1-9]'
}
for _ in $(seq 1200); do
  ! (started) 2>/dev/null || { cat "$dir/flume.env"; exit 0; }
  alive "$dir/pid" || break
  sleep 0.1
done
grep -E ' (ERROR|FATAL) |Exception' "$dir/log" | tail -n 12 >&2 || :
"$(dirname "$0")/down.sh" "$dir" -9
die "Flume does not listen on port $port, see $dir/log"
