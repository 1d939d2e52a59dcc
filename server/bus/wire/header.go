package wire

import "strings"

// Version is the major version that is written here, and the only one that is read.
const Version = 1

// The headers of a message, all of which may be missing. Keys that differ in case alone are the same.
const (
	HeaderVersion = "Groupcast-Version" // MAJOR or MAJOR.MINOR
	HeaderMode    = "Groupcast-Mode"    // text or json
	HeaderOrigin  = "Groupcast-Origin"  // NODE EPOCH ORDER, of nodes
	HeaderExclude = "Groupcast-Exclude" // sessions
	HeaderGroups  = "Groupcast-Groups"  // tokens, of PREFIX.m alone
	HeaderUsers   = "Groupcast-Users"   // tokens, of PREFIX.m alone
)

const (
	modeText = "text"
	modeJSON = "json"
)

// The headers as fields count them.
const (
	version = iota
	mode
	origin
	exclude
	groups
	users
	headers
)

var headerNames = [headers]string{
	HeaderVersion, HeaderMode, HeaderOrigin, HeaderExclude, HeaderGroups, HeaderUsers,
}

// headerReasons is what a header that stands twice is counted by.
var headerReasons = [headers]Reason{
	ReasonVersion, ReasonMode, ReasonOrigin, ReasonExclude, ReasonToken, ReasonToken,
}

// fields are the headers of one message that are known here.
type fields struct {
	value [headers]string
	there [headers]bool
}

// read finds the known headers. NATS passes keys as they were sent, so that a look at each of them is
// needed only where some key is none of ours as we write them.
func (f *fields) read(header map[string][]string) *Bad {
	if len(header) == 0 {
		return nil
	}
	var count [headers]int
	found := 0
	for i, name := range headerNames {
		if values, ok := header[name]; ok {
			f.note(&count, i, values)
			found++
		}
	}
	if found < len(header) {
		for key, values := range header {
			if i := headerOf(key); i >= 0 && key != headerNames[i] {
				f.note(&count, i, values)
			}
		}
	}
	for i, n := range count {
		if n > 1 {
			return bad(headerReasons[i], "%s: want one value: got %d", headerNames[i], n)
		}
	}
	return nil
}

func (f *fields) note(count *[headers]int, i int, values []string) {
	if len(values) > 0 {
		f.value[i], f.there[i] = values[0], true
		count[i] += len(values)
	}
}

// headerOf is which header has that key, in whatever case; -1 if none.
func headerOf(key string) int {
	if len(key) < len(HeaderMode) || len(key) > len(HeaderVersion) {
		return -1
	}
	for i, name := range headerNames {
		if strings.EqualFold(key, name) {
			return i
		}
	}
	return -1
}

// checkVersion refuses every major but ours. A minor adds only what may be passed over.
func (f *fields) checkVersion() *Bad {
	if !f.there[version] {
		return nil
	}
	text := f.value[version]
	major, minor, dotted := strings.Cut(text, ".")
	m, ok := parseDecimal(major)
	if _, okMinor := parseDecimal(minor); !ok || m != Version || dotted && !okMinor {
		return bad(ReasonVersion, "%s: want %d, or no such header: got %s", HeaderVersion, Version, quote(text))
	}
	return nil
}

// readMode tells text from JSON.
func (f *fields) readMode() (isText bool, b *Bad) {
	switch text := f.value[mode]; {
	case !f.there[mode] || text == modeText:
		return true, nil
	case text == modeJSON:
		return false, nil
	default:
		return false, bad(ReasonMode, "%s: want text or json: got %s", HeaderMode, quote(text))
	}
}

// readOrigin is the zero place for a foreign publisher's message.
func (f *fields) readOrigin() (Place, *Bad) {
	if !f.there[origin] {
		return Place{}, nil
	}
	p, ok := ParsePlace(f.value[origin])
	if !ok {
		return p, bad(ReasonOrigin, "%s: want a node's name, its epoch in 16 digits and an order: got %s",
			HeaderOrigin, quote(f.value[origin]))
	}
	return p, nil
}
