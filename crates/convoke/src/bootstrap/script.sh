# What the command line of the bootstrap runs on a host. Code takes the comments and line breaks out
# and puts the text between single quotes, so code lines hold no newline of their own, single quote,
# backslash or exclamation mark, and each ends where a blank may follow.
#
# Names: every variable begins with c_, so that none is one the host's environment already exports
# (assigning would change what the agent inherits). Tests with [ are builtins; the only processes of
# the way that finds a cached agent are uname, ls and sha256sum.

# A shell whose options came through the environment (SHELLOPTS) must not trace or stop.
set +efuvxC;
c_nonce=@nonce@;

# Appended, so that the account's own tools come first. Set back before the exec.
c_path=$PATH;
PATH=${PATH:+$PATH:}/usr/bin:/bin:/usr/sbin:/sbin;

c_uname=$(uname -sm);
case $c_uname in
@agents@
*) echo "$c_nonce unknown $c_uname"; exit 1;;
esac;

# Sets c_dir and c_file to the place under the base $1. The base itself must be ours: with a HOME kept
# by sudo nothing is touched. The two public ones must be sticky, or anybody could rename ours away.
at() {
  c_dir=$1$2;
  c_file=$c_dir/agent-$c_platform-$c_hash;
  case $1 in
  /var/tmp|/dev/shm) [ -k $1 ] || return 2;;
  /*) [ -O "$1" ] || return 2;;
  *) return 1;;
  esac;
};

# Only we may create and rename in c_dir. No builtin knows a mode, so this one asks ls; a directory
# below a set-group-id one has inherited that bit.
trusted() {
  [ -L "$c_dir" ] && return 3;
  [ -d "$c_dir" ] || return 4;
  [ -O "$c_dir" ] || return 5;
  [ -O "${c_dir%/*}" ] || [ -k "${c_dir%/*}" ] || return 2;
  case $(ls -ld "$c_dir") in
  drwx--[-S]---*) ;;
  *) return 5;;
  esac;
};

# Whether file $1 has the right SHA-256; c_sum stays empty when there is no tool to tell. Each tool is
# a command substitution of its own because a shell then needs one fork, not two.
intact() {
  c_sum=;
  { c_sum=$(sha256sum) || c_sum=$(shasum -a 256) || c_sum=$(openssl dgst -sha256 -r) || c_sum=$(sha256) || c_sum=; } <"$1" 2>/dev/null;
  case $c_sum in
  *$c_hash*) ;;
  *) false;;
  esac;
};

# Whether the place $1$2 holds our agent. The file is asked for first: where there is none, the place
# costs no process.
cached() {
  at "$@" && [ -f "$c_file" ] && [ -x "$c_file" ] && [ -O "$c_file" ] || return 1;
  [ -L "$c_file" ] && return 1;
  trusted && intact "$c_file";
};

# Copies exactly $1 bytes of stdin. That head takes -c was tried before: on a failure in the middle
# there must be no second attempt, which would wait for bytes that never come.
take() {
  if [ "$c_head" ]; then head -c $1; else dd bs=1 count=$1 2>/dev/null; fi;
};

clean() { rm -f "$c_new"; };

# Receives the agent into the place $1$2. Everything that needs a umask, a trap or a temporary is in a
# subshell: the agent inherits none of it, and when the shell above is killed the subshell still sees
# the end of input and cleans up. Its exit status says why the place is no good; 99 means that the
# bytes of the upload are gone and no other place can be tried.
fresh() {
  at "$@" && (
    umask 077;
    [ -e "$c_dir" ] || [ -L "$c_dir" ] || mkdir -p -m 700 "$c_dir" 2>/dev/null || exit 6;
    trusted || exit;
    [ -L "$c_file" ] && rm -f "$c_file";
    [ -d "$c_file" ] && exit 4;
    c_new=$c_dir/upload-$c_nonce;
    trap clean EXIT;
    trap "exit 99" HUP INT PIPE TERM;
    { echo : >"$c_new"; } 2>/dev/null || exit 7;
# Not [ -x ], which in some shells does not know of noexec mounts: a file without a #! line is run by
# the shell itself unless the kernel forbids it.
    { chmod 700 "$c_new" && "$c_new"; } 2>/dev/null || exit 8;
    { take $c_size </dev/zero >>"$c_new"; } 2>/dev/null || exit 9;
    c_all=;
    echo "$c_nonce need $c_platform $c_form";
    if [ $c_form = gz ]; then take $c_gzip | gzip -dc; else take $c_size; fi >"$c_new" && c_all=yes;
    c_got=$(wc -c <"$c_new");
    [ "$c_all" ] && { intact "$c_new" || { [ -z "$c_sum" ] && [ $c_got -eq $c_size ]; }; } || { echo "$c_nonce bad" $c_got; exit 99; };
    mv -f "$c_new" "$c_file" || { echo "$c_nonce bad" $c_got; exit 99; };
# An agent touches its own file when it starts: these were not used for 30 days, or forgotten for one.
    find "$c_dir" -type f "(" -name "agent-*" -mtime +29 -o -name "upload-*" -mtime +0 ")" -exec rm -f {} + 2>/dev/null;
    exit 0;
  );
  c_why=$?;
  case $c_why in
  0) ;;
  [1-9]) c_tried="$c_tried $c_why"; return 1;;
  *) exit 1;;
  esac;
};

# Calls $1 with one place after the other until it succeeds.
places() {
  $1 "$XDG_CACHE_HOME" /convoke || $1 "$HOME" /.cache/convoke || $1 "$XDG_RUNTIME_DIR" /convoke || {
    c_uid=$(id -u);
    $1 /var/tmp /convoke-$c_uid || $1 /dev/shm /convoke-$c_uid;
  };
};

# The tools are asked to do what they will be needed for: there are a head without -c and a gzip
# without -d.
if places cached; then c_answer="have $c_platform"; else
  c_head=$(echo ab | head -c 1 2>/dev/null);
  c_form=raw;
  [ "$(echo ab | gzip -c 2>/dev/null | gzip -dc 2>/dev/null)" ] && c_form=gz;
  c_tried=;
  places fresh || { echo "$c_nonce nowhere$c_tried"; exit 1; };
  c_answer=ready;
fi;
PATH=$c_path;
echo "$c_nonce $c_answer";
exec "$c_file"
