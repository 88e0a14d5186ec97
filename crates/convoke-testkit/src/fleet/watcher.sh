# Owns the sshd of a fleet. At the end of its own input it ends everything of the fleet and removes its directory.
#
# usage: sh watcher.sh DIRECTORY MARK NAMESPACE, where NAMESPACE is `own` when the mount namespace is the fleet's.
# Each line of input starts the sshd again. `prepare` in the directory says what comes before.
directory=$1 mark=$2 namespace=$3

# A signal ends the reading below, and with it the fleet.
trap : HUP INT TERM

begin() {
    # A shell lets what it puts into the background ignore these two, and sshd would hand that on.
    env --default-signal=INT,QUIT "$sshd" -D -e -f "$directory/sshd_config" \
        </dev/null >/dev/null 2>>"$directory/log" &
    echo $! >"$directory/sshd.pid"
}

# Whether $pid is of the fleet: in its namespace, marked, or a descendant of ours that lives.
belongs() {
    { read -r stat <"/proc/$pid/stat"; } 2>/dev/null || return 1
    rest=${stat##*) }
    [ "${rest%% *}" != Z ] || return 1
    rest=${rest#* }
    case $family in *" ${rest%% *} "*) return 0 ;; esac
    if [ "$namespace" = own ]; then
        [ "/proc/$pid/ns/mnt" -ef "/proc/$$/ns/mnt" ]
    else
        [ -O "/proc/$pid" ] && grep -zqx "CONVOKE_FLEET=$mark" "/proc/$pid/environ" 2>/dev/null
    fi
}

# Sets $family to us and all others of the fleet.
look() {
    family=" $$ "
    more=yes
    while [ "$more" ]; do
        more=
        for process in /proc/[0-9]*; do
            pid=${process#/proc/}
            case $family in *" $pid "*) continue ;; esac
            if belongs; then
                family="$family$pid "
                more=yes
            fi
        done
    done
}

end() {
    while look; [ "$family" != " $$ " ]; do
        for pid in $family; do
            [ "$pid" = $$ ] || kill -KILL "$pid" 2>/dev/null
        done
        wait
    done
    umount "$directory/homes" 2>/dev/null
    umount "$directory/disk" 2>/dev/null
    rm -rf "$directory"
}

cd /
. "$directory/prepare" 2>>"$directory/log" || { echo "prepare failed" >>"$directory/log"; }
begin
while read -r _; do
    begin
done
end
