# What somebody types in a hurry: key by key list, mint, write, try, disable. Reads `keys`, lines of principal and key id.
change() { curl -sf -H @admin -H 'Content-Type: application/json' -d "$1" "$2"; }

while read -r principal old; do
  where="$URL/principals/$principal/keys"
  curl -sf -H @admin "$where" > /dev/null || exit 1
  made=$(change '{"mark": "loop"}' "$where") || exit 1
  secret=$(printf '%s' "$made" | sed 's/.*"secret": *"\([^"]*\)".*/\1/')
  printf '{"API_KEY": "%s"}' "$secret" > "$principal"
  curl -sf -H "Authorization: Bearer $secret" "$URL/resource" > /dev/null || exit 1
  change '{"state": "disabled"}' "$where/$old/state" > /dev/null || exit 1
done < keys
