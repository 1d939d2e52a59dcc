package token

import (
	"bytes"
	"encoding/asn1"
	"encoding/base64"
	"fmt"
	"regexp"
	"unicode/utf8"
)

// What is mistaken for a secret: its bytes would be taken for one, and a public key's are known
// to everybody. Of a million secrets drawn at random, printable or not, some tens look like one.

const wantsKey = "wants PEM blocks, or a secret of random bytes; a JSON Web Key set belongs in --token-jwks"

var (
	// A member, a list of objects, of texts or of numbers, and what is empty.
	jsonBegins = regexp.MustCompile(`^(\[\s*)?\{\s*("[^"\\]*"\s*:|\}\s*\]?$)|^\[\s*("[^"\\]*"|-?[0-9]+)\s*[],]`)
	// The line of authorized_keys and of .pub files; RFC 4716; PuTTY's.
	sshKey = regexp.MustCompile(`(?m)^(\S+ )?(ssh-|ecdsa-sha2-|sk-)\S+ AAAA|^---- BEGIN SSH2 |^PuTTY-User-Key-File-`)
)

// noSecret says of a file that is neither PEM nor a key set why its bytes are no secret either.
func noSecret(data []byte) error {
	text := bytes.TrimSpace(data)
	looks := ""
	switch {
	case isUTF16(data):
		looks = "UTF-16 text: save it as UTF-8 or ASCII"
	case bytes.HasPrefix(data, []byte("\ufeff")):
		looks = "text with a byte order mark in front: save it without"
	case sshKey.Match(text):
		looks = "an SSH key: ssh-keygen -e -m PKCS8 -f FILE writes it as PEM"
	case utf8.Valid(text) && jsonBegins.Match(text):
		looks = "JSON"
	case isDER(data) || isDER(bytes.TrimRight(data, "\r\n")):
		looks = "a key or a certificate in DER: openssl pkey -inform DER (-pubin) writes it as PEM"
	case isDER(unwrapped(text)):
		looks = "a key or a certificate in base64 without its PEM lines, -----BEGIN and -----END"
	default:
		return nil
	}
	return fmt.Errorf("%s; got what looks like %s", wantsKey, looks)
}

// isUTF16 reports whether every other byte is zero: nothing that is wanted here has letters
// beyond Latin.
func isUTF16(data []byte) bool {
	if bytes.HasPrefix(data, []byte{0xff, 0xfe}) || bytes.HasPrefix(data, []byte{0xfe, 0xff}) {
		data = data[2:]
	}
	even, odd := 0, 0
	for i, b := range data {
		if b == 0 {
			even, odd = even+(1-i%2), odd+i%2
		}
	}
	half := len(data) / 2
	return half > 1 && max(even, odd) >= half
}

// isDER reports whether data is one ASN.1 sequence of whole elements, and nothing behind it.
func isDER(data []byte) bool {
	var all asn1.RawValue
	rest, err := asn1.Unmarshal(data, &all)
	if err != nil || len(rest) > 0 || all.Tag != asn1.TagSequence || !all.IsCompound || len(all.Bytes) == 0 {
		return false
	}
	for rest = all.Bytes; len(rest) > 0; {
		var one asn1.RawValue
		if rest, err = asn1.Unmarshal(rest, &one); err != nil {
			return false
		}
	}
	return true
}

// unwrapped is what stands in base64; nil if nothing does.
func unwrapped(text []byte) []byte {
	joined := bytes.Join(bytes.Fields(text), nil)
	data, err := base64.StdEncoding.DecodeString(string(joined))
	if err != nil {
		if data, err = base64.RawURLEncoding.DecodeString(string(bytes.TrimRight(joined, "="))); err != nil {
			return nil
		}
	}
	return data
}
