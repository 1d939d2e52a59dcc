package server

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// SECURITY.md names a test in each row of who attacks what, and each of them exists.
func TestSecurityTableNamesTests(t *testing.T) {
	text, err := os.ReadFile("../SECURITY.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "| who | tries |")
	table, _, ok := strings.Cut(table, "\n\n")
	if !ok {
		t.Fatal("no table")
	}
	named := regexp.MustCompile("`([a-z/]+)\\.((?:Test|Fuzz)[A-Za-z0-9]+)`")
	declared := make(map[string]string) // what a folder's tests are written in
	rows := strings.Split(table, "\n")[2:]
	if len(rows) < 20 {
		t.Fatalf("%d rows", len(rows))
	}
	for _, row := range rows {
		found := named.FindAllStringSubmatch(row, -1)
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
}
