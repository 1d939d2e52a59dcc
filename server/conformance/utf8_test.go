package conformance

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gobwas/ws"
)

// octets is a text message with a byte of it in each fragment.
func octets(payload string) []sending {
	all := []sending{open("")}
	for i := range len(payload) {
		all = append(all, more(payload[i:i+1]))
	}
	return append(all, last(""))
}

// utf8Texts are Autobahn's texts, by its numbers. They are all judged alone, and between
// words, where the decoder has something to judge already.
var utf8Texts = []struct {
	chapter string
	valid   bool
	texts   []string
}{
	{"6.2 valid", true, []string{"Hello-µ@ßöäüàá-UTF-8!!", "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5"}},
	{"6.3 invalid", false, []string{"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited"}},
	{"6.5 and 6.6 whole characters of one word", true, []string{
		"\xce\xba", "\xce\xba\xe1\xbd\xb9", "\xce\xba\xe1\xbd\xb9\xcf\x83", "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc",
	}},
	{"6.6 a character cut", false, []string{
		"\xce", "\xce\xba\xe1", "\xce\xba\xe1\xbd", "\xce\xba\xe1\xbd\xb9\xcf", "\xce\xba\xe1\xbd\xb9\xcf\x83\xce",
		"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce",
	}},
	{"6.7 first of a length", true, []string{"\x00", "\xc2\x80", "\xe0\xa0\x80", "\xf0\x90\x80\x80"}},
	{"6.8 first of a length that is none", false, []string{"\xf8\x88\x80\x80\x80", "\xfc\x84\x80\x80\x80\x80"}},
	{"6.9 last of a length", true, []string{"\x7f", "\xdf\xbf", "\xef\xbf\xbf", "\xf4\x8f\xbf\xbf"}},
	{"6.10 last of a length, too large", false, []string{
		"\xf7\xbf\xbf\xbf", "\xfb\xbf\xbf\xbf\xbf", "\xfd\xbf\xbf\xbf\xbf\xbf",
	}},
	{"6.11 at other edges", true, []string{"\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbd", "\xf4\x8f\xbf\xbf"}},
	{"6.11 beyond the last", false, []string{"\xf4\x90\x80\x80"}},
	{"6.12 continuations of nothing", false, append(repeats("\x80\xbf", 7), "\x80", "\xbf", each(0x80, 0xbf, ""))},
	{"6.13 beginnings of nothing", false, []string{
		each(0xc0, 0xdf, " "), each(0xe0, 0xef, " "), each(0xf0, 0xf7, " "), each(0xf8, 0xfb, " "), each(0xfc, 0xfd, " "),
	}},
	{"6.14 the last byte lacks", false, cutTexts},
	{"6.15 of many the last byte lacks", false, []string{strings.Join(cutTexts, "")}},
	{"6.16 impossible bytes", false, []string{"\xfe", "\xff", "\xfe\xfe\xff\xff"}},
	{"6.17 ASCII overlong", false, []string{
		"\xc0\xaf", "\xe0\x80\xaf", "\xf0\x80\x80\xaf", "\xf8\x80\x80\x80\xaf", "\xfc\x80\x80\x80\x80\xaf",
	}},
	{"6.18 largest overlong", false, []string{
		"\xc1\xbf", "\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf", "\xf8\x87\xbf\xbf\xbf", "\xfc\x83\xbf\xbf\xbf\xbf",
	}},
	{"6.19 NUL overlong", false, []string{
		"\xc0\x80", "\xe0\x80\x80", "\xf0\x80\x80\x80", "\xf8\x80\x80\x80\x80", "\xfc\x80\x80\x80\x80\x80",
	}},
	{"6.20 half surrogates", false, []string{
		"\xed\xa0\x80", "\xed\xad\xbf", "\xed\xae\x80", "\xed\xaf\xbf", "\xed\xb0\x80", "\xed\xbe\x80", "\xed\xbf\xbf",
	}},
	{"6.21 surrogates in pairs", false, []string{
		"\xed\xa0\x80\xed\xb0\x80", "\xed\xa0\x80\xed\xbf\xbf", "\xed\xad\xbf\xed\xb0\x80", "\xed\xad\xbf\xed\xbf\xbf",
		"\xed\xae\x80\xed\xb0\x80", "\xed\xae\x80\xed\xbf\xbf", "\xed\xaf\xbf\xed\xb0\x80", "\xed\xaf\xbf\xed\xbf\xbf",
	}},
	{"6.22 no characters, but valid", true, notCharacters()},
	{"6.23 specials", true, []string{
		"\xef\xbf\xb9", "\xef\xbf\xba", "\xef\xbf\xbb", "\xef\xbf\xbc", "\xef\xbf\xbd", "\xef\xbf\xbe", "\xef\xbf\xbf",
	}},
}

// cutTexts are the largest and smallest characters of each length without their last byte.
var cutTexts = []string{
	"\xc0", "\xe0\x80", "\xf0\x80\x80", "\xf8\x80\x80\x80", "\xfc\x80\x80\x80\x80",
	"\xdf", "\xef\xbf", "\xf7\xbf\xbf", "\xfb\xbf\xbf\xbf", "\xfd\xbf\xbf\xbf\xbf",
}

// repeats are the first 2 to n bytes of what, again and again.
func repeats(what string, n int) (all []string) {
	for i := 2; i <= n; i++ {
		all = append(all, strings.Repeat(what, n)[:i])
	}
	return all
}

// each is all bytes from one to another, each with that behind it.
func each(from, to byte, behind string) string {
	var b strings.Builder
	for c := from; ; c++ {
		b.WriteByte(c)
		b.WriteString(behind)
		if c == to {
			return b.String()
		}
	}
}

// notCharacters are the last two code points of every plane.
func notCharacters() (all []string) {
	for plane := rune(0); plane <= 0x10; plane++ {
		all = append(all, string(plane<<16|0xfffe), string(plane<<16|0xffff))
	}
	return all
}

// 6: a text message is UTF-8, whatever its fragments are, or the connection is closed with
// 1007. Binary messages may be anything.
func TestUTF8(t *testing.T) {
	word := "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5"
	cases := []example{
		{"6.1.1 empty", []sending{text("")}, []received{message("")}, 0},
		{"6.1.2 empty in three", []sending{open(""), more(""), last("")}, []received{message("")}, 0},
		{
			"6.1.3 in the middle of three",
			[]sending{open(""), more("middle frame payload"), last("")},
			[]received{message("middle frame payload")},
			0,
		},
		{
			"6.2.2 between two characters",
			[]sending{open("Hello-µ@ß"), last("öäüàá-UTF-8!!")},
			[]received{message("Hello-µ@ßöäüàá-UTF-8!!")},
			0,
		},
		{
			"inside a character of four bytes",
			[]sending{open("\xf0\x90"), more("\x80"), last("\x80")},
			[]received{message("\U00010000")},
			0,
		},
		// Judged when it is complete: until then pings are answered.
		{
			"6.4 wrong in the second of three",
			[]sending{open(word), more("\xf4\x90\x80\x80"), ping("?"), awaits(1), last("edited")},
			[]received{pongOf("?")},
			1007,
		},
		{
			"a character goes on in the next message",
			[]sending{text("\xce"), text("\xba")},
			nil, 1007,
		},
		{
			"a wrong one behind a right one",
			[]sending{text(word), text("\xff")},
			[]received{message(word)},
			1007,
		},
		{
			"a right one behind a cut binary one",
			[]sending{binaries("\xce"), text(word)},
			[]received{binaryMessage("\xce"), message(word)},
			0,
		},
		{
			"6.2 long", []sending{text(strings.Repeat(word, 300))}, []received{message(strings.Repeat(word, 300))}, 0,
		},
	}
	for _, chapter := range utf8Texts {
		for i, payload := range chapter.texts {
			name := fmt.Sprintf("%s, %d", chapter.chapter, i+1)
			cases = append(cases,
				judged(name, chapter.valid, payload, text(payload)),
				judged(name+" between words", chapter.valid, "a"+payload+"b", text("a"+payload+"b")))
		}
	}
	runChapter(t, cases)
}

// judged is a case of a text that is valid or not.
func judged(name string, valid bool, payload string, sends ...sending) example {
	if !valid {
		return example{name, sends, nil, 1007}
	}
	return example{name, sends, []received{message(payload)}, 0}
}

// The same with each byte in a fragment, which is cutting enough; as binary messages; and with
// the wrong byte in any place: checkers look at eight and more at a time.
func TestUTF8Pieces(t *testing.T) {
	var cases []example
	for _, chapter := range utf8Texts {
		for i, payload := range chapter.texts {
			name := fmt.Sprintf("%s, %d", chapter.chapter, i+1)
			between := "a" + payload + "b"
			cases = append(cases,
				judged(name+" in octets", chapter.valid, payload, octets(payload)...),
				judged(name+" between words in octets", chapter.valid, between, octets(between)...),
				example{name + " binary", []sending{binaries(payload)}, []received{binaryMessage(payload)}, 0})
		}
	}
	for at := range 70 {
		wrong := []byte(strings.Repeat("x", 70))
		wrong[at] = 0x80
		cases = append(cases, judged(fmt.Sprintf("wrong at %d", at), false, "", text(string(wrong))))
	}
	runWays(t, cases, ways[:1])
}

// A close frame's reason is text, too.
func TestUTF8Reasons(t *testing.T) {
	var cases []example
	for _, chapter := range utf8Texts {
		for i, reason := range chapter.texts {
			if len(reason) > 123 {
				continue
			}
			code := ws.StatusCode(1007)
			if chapter.valid {
				code = 1000
			}
			cases = append(cases, example{
				fmt.Sprintf("%s, %d", chapter.chapter, i+1), []sending{closing(1000, reason)}, nil, code,
			})
		}
	}
	runChapter(t, cases)
}
