package settings

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// WriteConfig writes a configuration file that has every default in it, with what
// is known of each setting in front. A server that is started with it is one that is
// started without. What has no default stands there as a comment.
func WriteConfig(w io.Writer) error {
	var b strings.Builder
	b.WriteString("# The configuration of groupcast, as it is without one: a line that is taken out changes nothing.\n")
	b.WriteString("# SIZE is in bytes, or 64KiB, 1MiB, 1GiB. TIME is 500ms, 5s, 1m30s. A list is [a, b].\n")
	for _, g := range Groups {
		fmt.Fprintf(&b, "\n\n# %s\n", g.Title)
		for i := range g.Settings {
			if s := &g.Settings[i]; !s.NoKey {
				b.WriteString("\n" + commented(s.Help+s.facts()) + s.line() + "\n")
			}
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// facts are what is known of a setting beside its help.
func (s *Setting) facts() string {
	text := ""
	if s.bounds != "" {
		text += " " + strings.ToUpper(s.bounds[:1]) + s.bounds[1:] + "."
	}
	return text + " A reload changes it: " + s.reloads() + "."
}

func (s *Setting) reloads() string {
	switch {
	case s.Reload.Switch != "":
		return "yes, but not from or to 0"
	case s.Reload.When == Restart:
		return "no"
	}
	return "yes"
}

// line is the setting's own line in a configuration file.
func (s *Setting) line() string {
	o := Defaults()
	values := s.write(&o)
	if len(values) == 0 || slices.Equal(values, []string{""}) || s.Secret {
		hint := s.hint
		if s.list {
			hint = "[" + hint + "]"
		}
		return "# " + s.Name + ": " + hint
	}
	for i, value := range values {
		values[i] = scalar(value)
	}
	if s.list {
		return s.Name + ": [" + strings.Join(values, ", ") + "]"
	}
	return s.Name + ": " + values[0]
}

// scalar writes a text so that YAML reads the same.
func scalar(text string) string {
	out, err := yaml.Marshal(text)
	if err != nil {
		panic(err) // a string
	}
	// YAML would write 0660 and 0 in quotes, to keep them from being numbers. They are
	// read as text in any case.
	plain := strings.Trim(strings.TrimSpace(string(out)), `"`)
	if strings.HasPrefix(plain, ":") { // which no scalar in a list may begin with
		return `"` + plain + `"`
	}
	return plain
}

// commented breaks text into lines of comment.
func commented(text string) string {
	var b strings.Builder
	line := "#"
	for word := range strings.FieldsSeq(text) {
		if len(line)+1+len(word) > 96 {
			b.WriteString(line + "\n")
			line = "#"
		}
		line += " " + word
	}
	return b.String() + line + "\n"
}

// WriteReference writes the list of all settings in Markdown.
func WriteReference(w io.Writer) error {
	var b strings.Builder
	b.WriteString(strings.ReplaceAll(referenceHead, "'", "`"))
	for _, g := range Groups {
		fmt.Fprintf(&b, "\n## %s\n\n", g.Title)
		b.WriteString("| setting | default | may be | reload | |\n|---|---|---|---|---|\n")
		for i := range g.Settings {
			s := &g.Settings[i]
			help := strings.NewReplacer("<", "&lt;", "|", "\\|").Replace(s.Help)
			if s.Secret {
				help += " A secret: shown nowhere."
			}
			if s.NoKey {
				help += " Not a key of the file."
			}
			fmt.Fprintf(&b, "| `%s %s` | %s | %s | %s | %s |\n", Flag(s.Name), s.Hint(), s.Default(), s.bounds, s.Reload, help)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// referenceHead has ' for Markdown's sign of code.
const referenceHead = `# Settings

Made by 'make reference' from the table in 'server/settings'; do not change it by hand.

'--max-message SIZE' on the command line is 'GROUPCAST_MAX_MESSAGE' in the environment and the key
'max-message' in the file that '--config' names. A flag beats the environment, the environment beats the file, the
file beats the default. A misspelt flag, variable or key, and an empty variable, keep the server from starting.
'groupcast start --print-config' writes a file with all of them.

SIZE is in bytes, or 64KiB, 1MiB, 1GiB (K, M and G mean the same). TIME is 500ms, 5s, 1m30s. A list is given by
repeating the flag, with commas in a variable, as a list in the file.

The column "reload" says what 'groupcast reload' may do: put another value in force at once, or for new connections and
requests, or not before a restart.
`
