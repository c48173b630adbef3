"""Domains whose e-mail addresses say nothing of the company that a person works for."""

from __future__ import annotations

_FREE_MAIL = """
126.com 139.com 163.com 189.cn abv.bg aim.com alice.it aliyun.com aol.com arcor.de att.net bellsouth.net
bigpond.com bluewin.ch bol.com.br btinternet.com centrum.cz charter.net comcast.net cox.net daum.net duck.com
earthlink.net email.com email.cz email.de fastmail.com fastmail.fm free.fr freenet.de gmail.com gmx.at gmx.ch
gmx.com gmx.de gmx.net googlemail.com hanmail.net hey.com home.nl hotmail.be hotmail.ca hotmail.co.uk
hotmail.com hotmail.com.br hotmail.de hotmail.es hotmail.fr hotmail.it hotmail.nl hushmail.com icloud.com
inbox.com inbox.lv inbox.ru interia.pl juno.com kpnmail.nl laposte.net libero.it list.ru live.be live.ca
live.co.uk live.com live.com.au live.de live.dk live.fr live.it live.nl live.no live.se mac.com mail.com
mail.de mail.ru me.com msn.com nate.com naver.com netzero.net ntlworld.com o2.pl online.de online.no onet.pl
op.pl optonline.net orange.fr outlook.com outlook.com.br outlook.de outlook.es outlook.fr outlook.it
outlook.jp pm.me post.cz posteo.de posteo.net proton.me protonmail.ch protonmail.com qq.com rambler.ru
rediffmail.com rocketmail.com rogers.com sapo.pt sbcglobal.net seznam.cz sfr.fr shaw.ca sina.cn sina.com
skynet.be sky.com sohu.com sympatico.ca t-online.de talktalk.net telenet.be telia.com telus.net terra.com.br
tin.it tiscali.it tuta.io tutamail.com tutanota.com tutanota.de ukr.net uol.com.br verizon.net virgilio.it
virginmedia.com volny.cz wanadoo.fr web.de windowslive.com wp.pl xtra.co.nz yahoo.ca yahoo.co.id yahoo.co.in
yahoo.co.jp yahoo.co.kr yahoo.co.nz yahoo.co.uk yahoo.co.za yahoo.com yahoo.com.ar yahoo.com.au yahoo.com.br
yahoo.com.mx yahoo.com.sg yahoo.com.tr yahoo.com.tw yahoo.com.vn yahoo.de yahoo.dk yahoo.es yahoo.fr yahoo.gr
yahoo.ie yahoo.in yahoo.it yahoo.nl yahoo.no yahoo.pl yahoo.se yandex.com yandex.ru yeah.net ymail.com
zoho.com
"""
FREE_MAIL = frozenset(_FREE_MAIL.split())

_LONGEST_DOMAIN = 253


def company_domain(address: str) -> str | None:
    """The domain of an e-mail address, lower case; None when it is no company's or no address."""
    person, _, domain = address.strip().lower().rpartition("@")
    name, _, end = domain.rpartition(".")
    sound = person and name and end and len(domain) <= _LONGEST_DOMAIN and domain.split() == [domain]
    return domain if sound and domain not in FREE_MAIL else None
