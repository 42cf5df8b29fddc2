# Reads and writes outside by the tools every system has.
#
# Must: nothing outside the grants is readable or writable
home=$1
for command in "cat $home" "cp $home copy" "tar -cf copy.tar $home" "dd if=$home of=copy" "touch $home" "ln $home copy" \
  "mv $home copy" "su -c true" "sudo -n true" "mount -o bind / ." "chroot . true" "crontab -l" "systemctl status"; do
  if (eval "$command") >/dev/null 2>&1; then echo "BROKE OUT $command"; else echo "stopped ${command%% *}: status $?"; fi
done
