package incidents

// Sentences are what the program writes to people, by language and key.
func Sentences() map[string]map[string]string {
	out := map[string]map[string]string{}
	for l, said := range sentences {
		out[string(l)] = said
	}
	return out
}
