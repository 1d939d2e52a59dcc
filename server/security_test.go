package server

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The tables of who attacks what, and of what holds under abuse, name a test in each row, and each of
// them exists.
func TestTablesNameTests(t *testing.T) {
	declared := make(map[string]string) // what a folder's tests are written in
	for _, document := range []struct {
		path, head string
		rows       int // at least
	}{
		{"SECURITY.md", "| who | tries |", 20},
		{"bench/results/reliability.md", "| attack | before |", 10},
		{"bench/results/reliability.md", "| mistake | now |", 10},
	} {
		text, err := os.ReadFile(filepath.Join("..", document.path))
		if err != nil {
			t.Fatal(err)
		}
		_, table, ok := strings.Cut(string(text), document.head)
		if !ok {
			t.Fatalf("%s has no %q", document.path, document.head)
		}
		table, _, _ = strings.Cut(strings.TrimSpace(table), "\n\n")
		rows := strings.Split(table, "\n")[2:]
		if len(rows) < document.rows {
			t.Fatalf("%s: %d rows after %q", document.path, len(rows), document.head)
		}
		for _, row := range rows {
			namesTests(t, row, declared)
		}
	}
}

var nameOfTest = regexp.MustCompile("`([a-z/]+)\\.((?:Test|Fuzz)[A-Za-z0-9]+)`")

// namesTests has row name at least one test, and no other than are declared.
func namesTests(t *testing.T, row string, declared map[string]string) {
	t.Helper()
	found := nameOfTest.FindAllStringSubmatch(row, -1)
	if len(found) == 0 {
		t.Errorf("no test in: %s", row)
	}
	for _, one := range found {
		folder, name := one[1], one[2]
		if declared[folder] == "" {
			files, err := filepath.Glob(filepath.Join("..", folder, "*_test.go"))
			if err != nil {
				t.Fatal(err)
			}
			for _, file := range files {
				source, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				declared[folder] += string(source)
			}
		}
		if !strings.Contains(declared[folder], "\nfunc "+name+"(") {
			t.Errorf("there is no %s in %s", name, folder)
		}
	}
}
