# Sends its standard input, line by line, and prints what comes back.
exec 3<>"/dev/tcp/localhost/$1" || exit 1
while read -r line; do
    printf '%s\n' "$line" >&3
    read -r answer <&3 || exit 2
    printf '%s\n' "$answer"
done
