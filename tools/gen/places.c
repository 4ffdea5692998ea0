/* SPDX-License-Identifier: ISC */
/*
 * places.c: the table of countries and networks.
 *
 * Number lengths follow each country's national plan (ITU-T E.164), network codes are those of ITU-T E.212. Names
 * with letters beyond ASCII are on purpose: sample data should meet them.
 */
#include "gen/places.h"

#define S(text) { (text), sizeof(text) - 1 }

const struct gen_place gen_places[] = {
	{ S("GB"), S("United Kingdom"), S("447"), 9, S("en-gb"), 4010, 4,
	  { { S("23410"), S("O2 UK") }, { S("23415"), S("Vodafone UK") }, { S("23420"), S("Three UK") },
	    { S("23430"), S("EE") } } },
	{ S("US"), S("United States"), S("1415"), 7, S("en-us"), 809, 3,
	  { { S("310260"), S("T-Mobile US") }, { S("310410"), S("AT&T Mobility") }, { S("311480"), S("Verizon") } } },
	{ S("DE"), S("Germany"), S("4915"), 9, S("de-de"), 7210, 3,
	  { { S("26201"), S("Telekom Deutschland") }, { S("26202"), S("Vodafone") }, { S("26203"), S("O2") } } },
	{ S("FR"), S("France"), S("336"), 8, S("fr-fr"), 5790, 4,
	  { { S("20801"), S("Orange") }, { S("20810"), S("SFR") }, { S("20815"), S("Free Mobile") },
	    { S("20820"), S("Bouygues T\xc3\xa9l\xc3\xa9" "com") } } },
	{ S("ES"), S("Spain"), S("346"), 8, S("es-es"), 6120, 3,
	  { { S("21401"), S("Vodafone") }, { S("21403"), S("Orange") }, { S("21407"), S("Movistar") } } },
	{ S("IT"), S("Italy"), S("393"), 9, S("it-it"), 6500, 3,
	  { { S("22201"), S("TIM") }, { S("22210"), S("Vodafone") }, { S("22288"), S("WindTre") } } },
	{ S("NL"), S("Netherlands"), S("316"), 8, S("nl-nl"), 8230, 3,
	  { { S("20404"), S("Vodafone") }, { S("20408"), S("KPN") }, { S("20416"), S("Odido") } } },
	{ S("PL"), S("Poland"), S("485"), 8, S("pl-pl"), 2690, 4,
	  { { S("26001"), S("Plus") }, { S("26002"), S("T-Mobile") }, { S("26003"), S("Orange") },
	    { S("26006"), S("Play") } } },
	{ S("SE"), S("Sweden"), S("467"), 8, S("sv-se"), 4550, 3,
	  { { S("24001"), S("Telia") }, { S("24007"), S("Tele2") }, { S("24008"), S("Telenor") } } },
	{ S("CH"), S("Switzerland"), S("417"), 8, S("de-de"), 6880, 3,
	  { { S("22801"), S("Swisscom") }, { S("22802"), S("Sunrise") }, { S("22803"), S("Salt") } } },
	{ S("PT"), S("Portugal"), S("3519"), 8, S("pt-pt"), 3280, 3,
	  { { S("26801"), S("Vodafone") }, { S("26803"), S("NOS") }, { S("26806"), S("MEO") } } },
	{ S("IE"), S("Ireland"), S("3538"), 8, S("en-gb"), 6240, 3,
	  { { S("27201"), S("Vodafone") }, { S("27202"), S("Three") }, { S("27203"), S("Eir") } } },
	{ S("TR"), S("T\xc3\xbcrkiye"), S("905"), 9, S("tr-tr"), 1640, 3,
	  { { S("28601"), S("Turkcell") }, { S("28602"), S("Vodafone") }, { S("28603"), S("T\xc3\xbcrk Telekom") } } },
	{ S("BR"), S("Brazil"), S("55119"), 8, S("pt-br"), 4800, 3,
	  { { S("72403"), S("TIM") }, { S("72405"), S("Claro") }, { S("72406"), S("Vivo") } } },
	{ S("MX"), S("Mexico"), S("5255"), 8, S("es-mx"), 3540, 3,
	  { { S("334020"), S("Telcel") }, { S("334030"), S("Movistar") }, { S("334050"), S("AT&T M\xc3\xa9xico") } } },
	{ S("AU"), S("Australia"), S("614"), 8, S("en-au"), 5320, 3,
	  { { S("50501"), S("Telstra") }, { S("50502"), S("Optus") }, { S("50503"), S("Vodafone") } } },
	{ S("JP"), S("Japan"), S("8190"), 8, S("ja-jp"), 7470, 3,
	  { { S("44010"), S("NTT docomo") }, { S("44020"), S("SoftBank") }, { S("44051"), S("KDDI") } } },
	{ S("SG"), S("Singapore"), S("659"), 7, S("en-gb"), 4150, 3,
	  { { S("52501"), S("Singtel") }, { S("52503"), S("M1") }, { S("52505"), S("StarHub") } } },
	{ S("ZA"), S("South Africa"), S("277"), 8, S("en-gb"), 2260, 3,
	  { { S("65501"), S("Vodacom") }, { S("65507"), S("Cell C") }, { S("65510"), S("MTN") } } },
	{ S("IN"), S("India"), S("919"), 9, S("hi-in"), 7100, 2,
	  { { S("40410"), S("Airtel") }, { S("40420"), S("Vodafone Idea") } } },
};

const size_t gen_places_count = sizeof(gen_places) / sizeof(gen_places[0]);
