// Package browser looks at the pages of a plant with a real Chromium, as people do: it clicks,
// types, and sees what they see. Its tests need Linux and a Chromium, and say so where there is
// none; what they share with the program that takes the screenshots is here.
package browser
