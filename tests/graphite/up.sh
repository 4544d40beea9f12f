#!/usr/bin/env bash
# up.sh DIR - a throw-away Graphite on loopback: carbon-cache (whisper) and graphite-web's render API, with the configuration of
# packaging/graphite. Installs from PyPI what is missing, once, beneath ${QAE_TEST_CACHE:-~/.cache/qae-tests}/graphite; starts what does
# not run yet; returns when a point can be written and read back. Ports are free ones, kept in DIR/ports.env over restarts.
# GRAPHITE_STEP: the finest archive's step (default 10s). GRAPHITE_AGGREGATOR=1: a carbon-aggregator in front of the cache too.
# Stop it with down.sh DIR.
# Needs Python 3.8 to 3.11 with pip, and libcairo2 (installed with apt-get when run as root). Where Python is newer, as in Debian 13,
# Debian's own packages are taken, which are made for it.
set -euo pipefail
export LC_ALL=C.UTF-8
[ $# -eq 1 ] || { sed -n '2,7p' "$0" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd -P)
mkdir -p "$1/run" && dir=$(cd "$1" && pwd -P)
cache=${QAE_TEST_CACHE:-$HOME/.cache/qae-tests}/graphite
mkdir -p "$cache"
log=$cache/install.log
say() { echo "graphite: $*" >&2; }
die() { say "$*"; exit 1; }
start_of() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | sed '/^Z/d' | cut -d' ' -f20; }
running() {
  local pid start
  [ -s "$dir/run/$1.pid" ] && read -r pid start < "$dir/run/$1.pid" &&
    [ -n "$start" ] && [ "$(start_of "$pid")" = "$start" ]
}

# ---- software: the whole set pinned, because carbon and graphite-web are old source packages
pins='whisper==1.1.10 carbon==1.1.10 graphite-web==1.1.10 Django==3.0.14 django-tagging==0.4.3 asgiref==3.8.1 sqlparse==0.5.1
pytz==2024.2 six==1.16.0 pyparsing==3.1.4 cairocffi==1.6.1 cffi==1.17.1 pycparser==2.22 urllib3==2.2.3 cachetools==5.5.0
Twisted==24.7.0 zope.interface==7.0.3 attrs==24.2.0 automat==24.8.1 constantly==23.10.4 hyperlink==21.0.0 idna==3.10
incremental==24.7.2 packaging==24.1 typing_extensions==4.12.2 gunicorn==23.0.0'
build_pins='setuptools==75.1.0 wheel==0.44.0'

apt() {
  [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || die "install $1 first"
  local get='apt-get -y -qq -o DPkg::Lock::Timeout=300 --no-install-recommends'
  DEBIAN_FRONTEND=noninteractive $get install "$1" >> "$log" 2>&1 9>&- || {
    apt-get -qq -o DPkg::Lock::Timeout=300 update >> "$log" 2>&1 9>&-
    DEBIAN_FRONTEND=noninteractive $get install "$1" >> "$log" 2>&1 9>&- || die "cannot install $1, see $log"
  }
}
pick_python() {
  local p
  for p in ${GRAPHITE_PYTHON:-python3 /usr/bin/python3 python3.11 python3.10 python3.9 python3.8}; do
    "$p" -c 'import sys; v = sys.version_info[:2]; (3, 8) <= v <= (3, 11) or sys.exit(1); print(sys.executable)' 2>/dev/null && return
  done
  # carbon of PyPI cannot be installed on a later one
  [ -z "${GRAPHITE_PYTHON:-}" ] || die "GRAPHITE_PYTHON=$GRAPHITE_PYTHON is not Python 3.8 to 3.11"
  [ -x /usr/bin/python3 ] || apt python3
  echo /usr/bin/python3
}
python=$(pick_python)
version=$("$python" -c 'import sys; print("py%d%d" % sys.version_info[:2])')
case $version in
  py38 | py39 | py31[01]) from=pypi lib=$cache/$version-$(echo "$pins" | cksum | cut -d' ' -f1) ;;
  *) from=debian lib=$cache/$version-debian ;;
esac
export PYTHONPATH=$dir/etc:$lib PYTHONNOUSERSITE=1 PYTHONWARNINGS=ignore

exec 9> "$cache/lock"; flock -w 600 9 || die "another installation holds $cache/lock"
if [ $from = debian ] && [ ! -e "$lib/.complete" ]; then
  for package in graphite-carbon graphite-web gunicorn; do apt $package; done
  mkdir -p "$lib" && touch "$lib/.complete"
elif [ ! -e "$lib/.complete" ]; then
  say "installing into $lib"
  "$python" -m pip --version >/dev/null 2>&1 || "$python" -m ensurepip >/dev/null 2>&1 || apt python3-pip
  rm -rf "$lib" "$lib.tmp"
  echo "$pins" | tr ' ' '\n' > "$cache/pins.txt"
  echo "$build_pins" | tr ' ' '\n' > "$cache/build-pins.txt"
  # GRAPHITE_NO_PREFIX: else their setup.py puts the code beneath opt/graphite
  env -u PYTHONPATH GRAPHITE_NO_PREFIX=True PIP_CONSTRAINT="$cache/build-pins.txt" PIP_ROOT_USER_ACTION=ignore \
    "$python" -m pip install -q --disable-pip-version-check --use-pep517 --no-deps --no-input \
    --target "$lib.tmp" -r "$cache/pins.txt" >> "$log" 2>&1 9>&- || { tail -n 15 "$log" >&2; die "pip failed, see $log"; }
  touch "$lib.tmp/.complete" && mv "$lib.tmp" "$lib"
fi
"$python" -c 'import cairocffi' 2>/dev/null || apt libcairo2
"$python" -c 'import cairocffi, carbon, whisper, graphite, gunicorn' || die "the installation in $lib does not work: remove it and try again"

# ---- ports, outside the range from which clients get theirs, so that a restart finds them free
[ -s "$dir/ports.env" ] || "$python" - > "$dir/ports.env.tmp" <<'P'
import random, socket
held = []
for name in 'LINE', 'PICKLE', 'QUERY', 'WEB', 'AGG', 'AGG_PICKLE':
    while True:
        s = socket.socket()
        try:
            s.bind(('127.0.0.1', random.randrange(20000, 32000)))
            s.listen(1)
        except OSError:
            continue
        held.append(s)
        print('GRAPHITE_%s_PORT=%d' % (name, s.getsockname()[1]))
        break
P
[ -s "$dir/ports.env" ] || mv "$dir/ports.env.tmp" "$dir/ports.env"
. "$dir/ports.env"

# ---- configuration
mkdir -p "$dir"/{conf,etc,log,storage/whisper}
cp "$here"/../../packaging/graphite/*.conf "$dir/conf/"
sed -i "s/= 10s:/= ${GRAPHITE_STEP:-10s}:/" "$dir/conf/storage-schemas.conf"
printf '\n[default]\npattern = .*\nretentions = 10s:1d\n' >> "$dir/conf/storage-schemas.conf"
receivers() {
  printf 'USER =\nLINE_RECEIVER_INTERFACE = 127.0.0.1\nLINE_RECEIVER_PORT = %s\n' "$1"
  printf 'PICKLE_RECEIVER_INTERFACE = 127.0.0.1\nPICKLE_RECEIVER_PORT = %s\n' "$2"
  printf 'LOG_LISTENER_CONN_SUCCESS = False\nENABLE_LOGROTATION = False\n'
}
cat > "$dir/conf/carbon.conf" <<C
[cache]
$(receivers "$GRAPHITE_LINE_PORT" "$GRAPHITE_PICKLE_PORT")
STORAGE_DIR = $dir/storage/
LOCAL_DATA_DIR = $dir/storage/whisper/
CONF_DIR = $dir/conf/
LOG_DIR = $dir/log/
PID_DIR = $dir/run/
CACHE_QUERY_INTERFACE = 127.0.0.1
CACHE_QUERY_PORT = $GRAPHITE_QUERY_PORT
MAX_CREATES_PER_MINUTE = inf
MAX_UPDATES_PER_SECOND = inf
MAX_CACHE_SIZE = inf
WHISPER_SPARSE_CREATE = True
LOG_UPDATES = False
LOG_CREATES = False
LOG_CACHE_HITS = False
LOG_CACHE_QUEUE_SORTS = False
ENABLE_TAGS = True
GRAPHITE_URL = http://127.0.0.1:$GRAPHITE_WEB_PORT

[aggregator]
$(receivers "$GRAPHITE_AGG_PORT" "$GRAPHITE_AGG_PICKLE_PORT")
DESTINATIONS = 127.0.0.1:$GRAPHITE_PICKLE_PORT
FORWARD_ALL = True
LOG_AGGREGATOR_MISSES = False
MAX_AGGREGATION_INTERVALS = 5
C
cat > "$dir/etc/qae_graphite_settings.py" <<C
SECRET_KEY = 'throw-away'
ALLOWED_HOSTS = ['*']
TIME_ZONE = 'UTC'
GRAPHITE_ROOT = '$dir'
CONF_DIR = '$dir/conf'
STORAGE_DIR = '$dir/storage'
WHISPER_DIR = '$dir/storage/whisper'
STATIC_ROOT = '$dir/static'
INDEX_FILE = '$dir/storage/index'
LOG_DIR = '$dir/log'
LOG_ROTATION = False
CARBONLINK_HOSTS = ['127.0.0.1:$GRAPHITE_QUERY_PORT']
DATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3',
    'NAME': '$dir/storage/graphite.db', 'OPTIONS': {'timeout': 20}}}
C
export GRAPHITE_ROOT=$dir GRAPHITE_CONF_DIR=$dir/conf GRAPHITE_STORAGE_DIR=$dir/storage
export DJANGO_SETTINGS_MODULE=graphite.settings GRAPHITE_SETTINGS_MODULE=qae_graphite_settings
if [ ! -e "$lib/empty.db" ]; then   # the index of tags; made once, copied for every Graphite
  "$python" -m django migrate --run-syncdb > "$dir/log/migrate.log" 2>&1 9>&- || { tail -n 5 "$dir/log/migrate.log" >&2; die "no database"; }
  mv "$dir/storage/graphite.db" "$lib/empty.db"
fi
[ -e "$dir/storage/graphite.db" ] || cp "$lib/empty.db" "$dir/storage/graphite.db"
exec 9>&-

# ---- start
launch() { # NAME command...
  local name=$1 pid; shift
  if running "$name"; then return; fi
  setsid "$@" > "$dir/log/$name.out" 2>&1 < /dev/null &
  pid=$!
  echo "$pid $(start_of "$pid")" > "$dir/run/$name.pid"
}
twistd() { # NAME PROGRAM
  running "$1" || rm -f "$dir/run/$1.twistd"
  launch "$1" "$python" -c 'import sys; from carbon.util import run_twistd_plugin; run_twistd_plugin(sys.argv.pop(1))' \
    "$2" --nodaemon --config="$dir/conf/carbon.conf" --pidfile="$dir/run/$1.twistd" start
}
twistd carbon carbon-cache
[ -z "${GRAPHITE_AGGREGATOR:-}" ] || twistd aggregator carbon-aggregator
launch web "$python" -m gunicorn --bind "127.0.0.1:$GRAPHITE_WEB_PORT" --workers 1 --threads 8 --graceful-timeout 2 \
  --limit-request-line 8190 graphite.wsgi:application

"$python" - "$dir" "$GRAPHITE_LINE_PORT" "$GRAPHITE_WEB_PORT" "${GRAPHITE_AGGREGATOR:+$GRAPHITE_AGG_PORT}" <<'P' || { "$here/down.sh" "$dir"; exit 1; }
import glob, json, os, socket, sys, time, urllib.request
d, line, web, agg = sys.argv[1:]
deadline, now = time.time() + 60, int(time.time())
def written():
    for port in filter(None, (agg, line)):
        with socket.create_connection(('127.0.0.1', int(port)), 5) as s:
            s.sendall(b'up.ready %d %d\n' % (now, now))
def seen():
    url = 'http://127.0.0.1:%s/render?target=up.ready&format=json&from=%d&until=%d' % (web, now - 60, now + 60)
    answer = json.load(urllib.request.urlopen(url, timeout=10))
    assert any(v == now for series in answer for v, _ in series['datapoints']), 'not readable yet'
for step in written, seen:
    while True:
        try:
            step()
            break
        except Exception as e:
            ended = [f for f in glob.glob(d + '/run/*.pid') if not os.path.exists('/proc/' + open(f).read().split()[0])]
            if ended or time.time() > deadline:
                for f in glob.glob(d + '/log/*.out'):
                    sys.stderr.write('%s:\n%s\n' % (f, ''.join(open(f).readlines()[-12:])))
                sys.exit('graphite: %r; ended: %s' % (e, ended))
        time.sleep(0.05)
P
cat "$dir/ports.env"
