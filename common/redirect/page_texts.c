/* page_texts.c - the texts of the redirect page; see page.h. */
#include "redirect/page.h"

const struct page_text page_texts[] = {
	{
	    .language = "en",
	    .app = "the app",
	    .open = "Open {app}",
	    .fallback_link = "Open it another way",
	    .late = "Did the app not open? Press the button. If that does not help, check that "
		    "{app} is on this device.",
	    .by_kind = {
		[PAGE_CONNECTED] = {
		    "Access granted",
		    "Open {app} to finish connecting amoCRM.",
		},
		[PAGE_CANCELLED] = {
		    "Access not granted",
		    "Nothing has changed. Open {app} whenever you want to try again.",
		},
		[PAGE_FAILED] = {
		    "amoCRM could not be connected",
		    "The link may be too old, or used already. Open {app} and start again.",
		},
		[PAGE_WRONG_ACCOUNT] = {
		    "Another amoCRM account was chosen",
		    "This account cannot be used here. Open {app}, start again and choose your "
		    "company's account.",
		},
		[PAGE_TRY_LATER] = {
		    "Please try a little later",
		    "amoCRM could not be connected just now. It is not your fault. Open {app} and "
		    "try again in a few minutes.",
		},
		[PAGE_NOTHING] = {
		    "Please go back to the app",
		    "Open {app}. If amoCRM is not connected there, start once more from the app.",
		},
	    },
	},
	{
	    .language = "uk",
	    .app = "застосунок",
	    .open = "Відкрити {app}",
	    .fallback_link = "Відкрити іншим способом",
	    .late = "Застосунок не відкрився? Натисніть кнопку. Якщо не допоможе, перевірте, чи є "
		    "{app} на цьому пристрої.",
	    .by_kind = {
		[PAGE_CONNECTED] = {
		    "Доступ надано",
		    "Відкрийте {app}, щоб завершити підключення amoCRM.",
		},
		[PAGE_CANCELLED] = {
		    "Доступ не надано",
		    "Нічого не змінилося. Відкрийте {app}, коли захочете спробувати ще раз.",
		},
		[PAGE_FAILED] = {
		    "Не вдалося підключити amoCRM",
		    "Можливо, посилання застаріло або вже використано. Відкрийте {app} і почніть "
		    "спочатку.",
		},
		[PAGE_WRONG_ACCOUNT] = {
		    "Обрано інший акаунт amoCRM",
		    "Цей акаунт тут не підійде. Відкрийте {app}, почніть спочатку й оберіть акаунт "
		    "своєї компанії.",
		},
		[PAGE_TRY_LATER] = {
		    "Спробуйте трохи пізніше",
		    "Зараз підключити amoCRM не вдалося, і це не через вас. Відкрийте {app} і "
		    "спробуйте ще раз за кілька хвилин.",
		},
		[PAGE_NOTHING] = {
		    "Поверніться до застосунку",
		    "Відкрийте {app}. Якщо amoCRM там не підключено, почніть підключення ще раз.",
		},
	    },
	},
	{
	    .language = "ru",
	    .app = "приложение",
	    .open = "Открыть {app}",
	    .fallback_link = "Открыть другим способом",
	    .late = "Приложение не открылось? Нажмите кнопку. Если не поможет, проверьте, есть ли "
		    "{app} на этом устройстве.",
	    .by_kind = {
		[PAGE_CONNECTED] = {
		    "Доступ предоставлен",
		    "Откройте {app}, чтобы завершить подключение amoCRM.",
		},
		[PAGE_CANCELLED] = {
		    "Доступ не предоставлен",
		    "Ничего не изменилось. Откройте {app}, когда захотите попробовать ещё раз.",
		},
		[PAGE_FAILED] = {
		    "Не удалось подключить amoCRM",
		    "Возможно, ссылка устарела или уже использована. Откройте {app} и начните "
		    "сначала.",
		},
		[PAGE_WRONG_ACCOUNT] = {
		    "Выбран другой аккаунт amoCRM",
		    "Этот аккаунт здесь не подойдёт. Откройте {app}, начните сначала и выберите "
		    "аккаунт своей компании.",
		},
		[PAGE_TRY_LATER] = {
		    "Попробуйте чуть позже",
		    "Сейчас подключить amoCRM не удалось, и вы здесь ни при чём. Откройте {app} и "
		    "попробуйте ещё раз через несколько минут.",
		},
		[PAGE_NOTHING] = {
		    "Вернитесь в приложение",
		    "Откройте {app}. Если amoCRM там не подключена, начните подключение ещё раз.",
		},
	    },
	},
	{ .language = NULL },
};
