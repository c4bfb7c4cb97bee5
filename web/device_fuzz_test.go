package web

import "testing"

// FuzzDeviceSecret holds that a secret says whose it is, and that nothing else is taken for one.
func FuzzDeviceSecret(f *testing.F) {
	f.Add("SH-001/pos-03", "gocd_a_b_c")
	f.Add("", "gocd___")
	f.Fuzz(func(t *testing.T, id, other string) {
		if got, ok := deviceOfSecret(newDeviceSecret(id)); !ok || got != id {
			t.Errorf("%q comes back as %q %v", id, got, ok)
		}
		if got, ok := deviceOfSecret(other); ok && (got == "" || len(other) < 40) {
			t.Errorf("%q is taken for the secret of %q", other, got)
		}
	})
}
